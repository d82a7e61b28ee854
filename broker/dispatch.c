/* SPDX-License-Identifier: MIT */
/*
 * dispatch.c: start reading here.  One table: the messages from a worker and
 * their handlers.  Each handler refuses its message before HELLO, defers it
 * while the link is stopped, and decodes it; -1 ends the link.  Must never know
 * what a message means.
 */

#include "broker/dispatch.h"

#include "broker/app/idempotency.h"
#include "broker/app/quota.h"
#include "broker/channel/cache.h"
#include "broker/channel/named_session.h"
#include "broker/channel/presence_sync.h"
#include "broker/channel/query.h"
#include "broker/channel/receipt.h"
#include "broker/channel/route.h"
#include "broker/channel/subscribe.h"
#include "broker/cluster/cluster.h"
#include "broker/cluster/outgoing.h"
#include "broker/cluster/session_moves.h"
#include "broker/cluster/workers.h"
#include "broker/control/conn_query.h"
#include "broker/control/console.h"
#include "broker/control/console_job.h"
#include "broker/core/core.h"
#include "broker/link/alone.h"
#include "broker/link/answers.h"
#include "broker/link/arrivals.h"
#include "broker/link/peer.h"
#include "broker/link/resync.h"
#include "broker/slot.h"
#include "broker/stats/failures.h"
#include "broker/stats/metrics.h"
#include "broker/stats/minutes.h"
#include "broker/stats/minutes_ask.h"
#include "broker/stats/totals.h"
#include "broker/user/users.h"
#include "broker/webhook/courier_link.h"

/* 1: the message comes again; 0: handle it; -1: there was no HELLO. */
static int
wait_or(struct peer *p)
{
	return p->slot == -1 ? -1 : answers_stop(p);
}

/* The message has been handled. */
static void
done(struct peer *p)
{
	peer_step(p);
	resync_step(p);
}

#define HANDLER(name, function) \
	static int on_##name(void *owner, const struct ipc_in *in) \
	{ \
		struct peer *p = peer_living(owner); \
		struct msg_##name m; \
		int r = wait_or(p); \
\
		if (r != 0) \
			return r == 1 ? 0 : -1; \
		if (msg_##name##_get(&m, in->body) == -1) \
			return -1; \
		r = function(p, &m); \
		done(p); \
		return r; \
	}

/* The same; in a cluster it stays behind what the worker said before. */
#define ORDERED(name, function) \
	static int wait_##name(struct peer *p, const struct msg_##name *m) \
	{ \
		return workers_must_wait(p) ? 0 : function(p, m); \
	} \
	HANDLER(name, wait_##name)

/*
 * Sequenced messages: during a resync they are merged across workers; in a
 * cluster the stream brings them, and they are applied then.  A message for
 * which this host has no room is refused before it goes into the stream.
 */
#define NUMBERED(name, function, is_refused) \
	static int on_##name(void *owner, const struct ipc_in *in) \
	{ \
		struct peer *p = peer_living(owner); \
		struct msg_##name m; \
		int r = wait_or(p); \
\
		if (r != 0) \
			return r == 1 ? 0 : -1; \
		if (msg_##name##_get(&m, in->body) == -1) \
			return -1; \
		if (resync_must_wait(p, m.seq) || \
		    outgoing_must_wait(p, m.seq)) \
			r = 0; \
		else if (p->br->cluster != NULL && is_refused(p, &m)) \
			outgoing_void(p, m.app, m.seq); \
		else if (!outgoing_take(p, in, m.app, m.seq)) \
			r = function(p, &m); \
		done(p); \
		return r; \
	} \
	static int apply_##name(void *owner, const struct ipc_in *in) \
	{ \
		struct msg_##name m; \
		int r = msg_##name##_get(&m, in->body); \
\
		if (r == 0) \
			r = function(owner, &m); \
		peer_step(owner); \
		return r; \
	}

static bool
is_never(struct peer *p, const struct msg_signout *m)
{
	return false;
}

HANDLER(resync_done, resync_on_done)
HANDLER(ping, peer_on_ping)
HANDLER(pong, peer_on_pong)
HANDLER(merge, slot_on_merge)
HANDLER(merged, slot_on_merged)
HANDLER(conn_open, quota_on_conn_open)
HANDLER(conn_close, quota_on_conn_close)
static int
take_session(struct peer *p, const struct msg_session *m)
{
	if (outgoing_must_wait(p, !m->replay) || outgoing_session(p, m) ||
	    workers_must_wait(p))
		return 0;
	return named_session_on_begin(p, m);
}

HANDLER(session, take_session)

static int
end_session(struct peer *p, const struct msg_session_end *m)
{
	session_moves_end(p->br->cluster, m->sid);
	return named_session_on_end(p, m);
}

/* Behind what the worker said before; other hosts ignore it in the stream. */
static int
take_session_end(struct peer *p, const struct msg_session_end *m)
{
	return outgoing_session_end(p, m) ? 0 : end_session(p, m);
}

static int
apply_session_end(void *owner, const struct ipc_in *in)
{
	struct msg_session_end m;

	return msg_session_end_get(&m, in->body) == -1 ? -1
						       : end_session(owner, &m);
}

HANDLER(session_end, take_session_end)
NUMBERED(sub, subscribe_on_sub, subscribe_is_refused)
ORDERED(sub_again, subscribe_on_sub_again)
NUMBERED(unsub, subscribe_on_unsub, subscribe_was_refused)
ORDERED(roster, presence_sync_on_roster)
ORDERED(member, presence_sync_on_member)

static int
answer_query(struct peer *p, const struct msg_query *m)
{
	/*
	 * While the cluster is away nothing is applied: the answer is as of
	 * then.
	 */
	bool waits = m->kind != QUERY_METRICS && m->kind != QUERY_STATISTICS &&
	    cluster_takes_events(p->br->cluster);

	if (waits && workers_must_wait(p))
		return 0;
	if (m->kind == QUERY_METRICS)
		metrics_on_query(p, m);
	else if (m->kind == QUERY_STATISTICS)
		minutes_ask(p, m);
	else
		return query_on_query(p, m);
	return 0;
}

HANDLER(query, answer_query)
HANDLER(receipt_rows, receipt_on_rows)
HANDLER(take, quota_on_take)
HANDLER(idem_begin, idempotency_on_begin)

/* The stream of a cluster brings its number, behind those of its events. */
static int
take_answer(struct peer *p, const struct msg_idem_store *m)
{
	if (m->seq == 0)
		return -1;
	if (resync_must_wait(p, m->seq) || outgoing_must_wait(p, m->seq))
		return 0;
	if (p->br->cluster != NULL)
		outgoing_void(p, m->app, m->seq);
	else
		peer_number(p, m->seq);
	return idempotency_on_store(p, m);
}

HANDLER(idem_store, take_answer)
NUMBERED(signin, users_on_signin, users_is_refused)
NUMBERED(signout, users_on_signout, is_never)
ORDERED(cached, cache_on_cached)
ORDERED(cache_mark, cache_on_mark)
HANDLER(conn_query_rows, conn_query_on_rows)
HANDLER(console_ask, console_on_ask)
HANDLER(console_cancel, console_on_cancel)
HANDLER(stats, totals_on_stats)
HANDLER(failure, failures_on_failure)

/*
 * A numbered message of which the handler passes the bytes on unchanged, and
 * reads them itself.
 */
#define PASSED(name, function) \
	static int take_##name(struct peer *p, const struct ipc_in *in) \
	{ \
		struct msg_##name m; \
\
		if (p->br->cluster == NULL) \
			return function(p, in); \
		if (msg_##name##_get(&m, in->body) == -1 || m.seq == 0) \
			return -1; \
		if (!resync_must_wait(p, m.seq)) \
			outgoing_take(p, in, m.app, m.seq); \
		return 0; \
	} \
	static int on_##name(void *owner, const struct ipc_in *in) \
	{ \
		int r = wait_or(owner); \
\
		if (r != 0) \
			return r == 1 ? 0 : -1; \
		r = take_##name(owner, in); \
		done(owner); \
		return r; \
	} \
	static int apply_##name(void *owner, const struct ipc_in *in) \
	{ \
		int r = function(owner, in); \
\
		peer_step(owner); \
		return r; \
	}

PASSED(event, route_on_event)
PASSED(terminate, users_on_terminate)

#define COURIER(name, function) \
	static int on_##name(void *owner, const struct ipc_in *in) \
	{ \
		struct peer *p = peer_living(owner); \
		struct msg_##name m; \
\
		if (!p->courier || msg_##name##_get(&m, in->body) == -1) \
			return -1; \
		return function(p, &m); \
	}

COURIER(courier_state, courier_link_on_state)
COURIER(courier_stats, totals_on_courier)
COURIER(hook_ack, courier_link_on_ack)
COURIER(minute_ack, minutes_on_ack)
COURIER(minutes, minutes_on_answer)
COURIER(hook_state, courier_link_on_hook_state)
COURIER(hook_states_done, courier_link_on_hook_states_done)

static int
on_courier_hello(void *owner, const struct ipc_in *in)
{
	struct msg_courier_hello m;

	if (msg_courier_hello_get(&m, in->body) == -1)
		return -1;
	if (courier_link_on_hello(owner, &m) == -1)
		return -1;
	minutes_on_courier(((struct peer *)owner)->br);
	return 0;
}

/* Also before HELLO. */
static int
on_place(void *owner, const struct ipc_in *in)
{
	struct msg_place m;

	return msg_place_get(&m, in->body) == -1 ? -1
						 : arrivals_on_place(owner, &m);
}

static int
on_hello(void *owner, const struct ipc_in *in)
{
	struct peer *p = owner;
	struct msg_hello m;

	if (msg_hello_get(&m, in->body) == -1)
		return -1;
	/* Another process has taken the slot over, with its link. */
	if (p->slot == (int)m.slot && p->origin == m.origin) {
		p->pid = m.pid;
		alone_say_again(p);
		if (p->br->cluster != NULL)
			workers_link_up(p);
		return 0;
	}
	return alone_must_wait(p) ? 0 : peer_on_hello(p, &m);
}

const ipc_handler broker_handlers[IPC_NTYPES] = {
	[IPC_HELLO] = on_hello,
	[IPC_PLACE] = on_place,
	[IPC_RESYNC_DONE] = on_resync_done,
	[IPC_PING] = on_ping,
	[IPC_PONG] = on_pong,
	[IPC_MERGE] = on_merge,
	[IPC_MERGED] = on_merged,
	[IPC_CONN_OPEN] = on_conn_open,
	[IPC_CONN_CLOSE] = on_conn_close,
	[IPC_SESSION] = on_session,
	[IPC_SESSION_END] = on_session_end,
	[IPC_SUB] = on_sub,
	[IPC_SUB_AGAIN] = on_sub_again,
	[IPC_UNSUB] = on_unsub,
	[IPC_EVENT] = on_event, /* the hot path */
	[IPC_CACHED] = on_cached,
	[IPC_CACHE_MARK] = on_cache_mark,
	[IPC_STATS] = on_stats,
	[IPC_FAILURE] = on_failure,
	[IPC_ROSTER] = on_roster,
	[IPC_MEMBER] = on_member,
	[IPC_QUERY] = on_query,
	[IPC_RECEIPT_ROWS] = on_receipt_rows,
	[IPC_TAKE] = on_take,
	[IPC_IDEM_BEGIN] = on_idem_begin,
	[IPC_IDEM_STORE] = on_idem_store,
	[IPC_SIGNIN] = on_signin,
	[IPC_SIGNOUT] = on_signout,
	[IPC_TERMINATE] = on_terminate,
	[IPC_CONN_QUERY_ROWS] = on_conn_query_rows,
	[IPC_CONSOLE_ASK] = on_console_ask,
	[IPC_CONSOLE_CANCEL] = on_console_cancel,
	[IPC_COURIER_HELLO] = on_courier_hello,
	[IPC_COURIER_STATE] = on_courier_state,
	[IPC_COURIER_STATS] = on_courier_stats,
	[IPC_MINUTE_ACK] = on_minute_ack,
	[IPC_MINUTES] = on_minutes,
	[IPC_HOOK_ACK] = on_hook_ack,
	[IPC_HOOK_STATE] = on_hook_state,
	[IPC_HOOK_STATES_DONE] = on_hook_states_done,
};

const ipc_handler cluster_handlers[IPC_NTYPES] = {
	[IPC_SESSION_END] = apply_session_end,
	[IPC_SUB] = apply_sub,
	[IPC_UNSUB] = apply_unsub,
	[IPC_EVENT] = apply_event,
	[IPC_SIGNIN] = apply_signin,
	[IPC_SIGNOUT] = apply_signout,
	[IPC_TERMINATE] = apply_terminate,
};
