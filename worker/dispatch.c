/* SPDX-License-Identifier: MIT */
/*
 * dispatch.c: message from the broker -> handler.  Start reading here: this
 * table is everything that the broker can make a worker do.  Each entry decodes
 * its message (which must fit exactly) and calls the function of its noun.
 */

#include "worker/dispatch.h"

#include "shared/conf/conf.h"
#include "worker/admin/conn_list.h"
#include "worker/admin/drain.h"
#include "worker/admin/move.h"
#include "worker/admin/stats_report.h"
#include "worker/api/ask.h"
#include "worker/api/console_answer.h"
#include "worker/api/idempotency.h"
#include "worker/api/retry.h"
#include "worker/app/apps.h"
#include "worker/channel/topic.h"
#include "worker/client/admission.h"
#include "worker/client/client.h"
#include "worker/core/core.h"
#include "worker/link/cache_replica.h"
#include "worker/link/link.h"
#include "worker/link/unacked.h"

static int
on_event(void *w, const struct ipc_in *in)
{
	struct msg_event m;

	if (msg_event_get(&m, in->body) == -1)
		return -1;
	if (m.origin == ((struct worker *)w)->link->origin)
		unacked_came_back(w, m.seq);
	if (link_is_new(w, m.origin, m.seq))
		topic_on_event(w, &m);
	return 0;
}

static int
on_missed(void *owner, const struct ipc_in *in)
{
	struct worker *w = owner;
	struct msg_missed m;

	if (msg_missed_get(&m, in->body) == -1)
		return -1;
	drain_on_missed(w);
	if (*w->conf->cluster != '\0')
		link_forget(w);
	return 0;
}

static int
on_apps_done(void *w, const struct ipc_in *in)
{
	struct msg_apps_done m;

	return msg_apps_done_get(&m, in->body) == -1 ? -1
						     : link_on_apps_done(w, &m);
}

/* Publishes that have waited for it run now. */
static int
on_cluster_state(struct worker *w, const struct msg_cluster *m)
{
	bool left = w->link->leaves;

	link_on_cluster(w, m);
	if (w->link->leaves && !left)
		drain_leave(w);
	api_retry_run(w);
	return 0;
}

static int
on_ack(void *w, const struct ipc_in *in)
{
	struct msg_ack m;

	if (msg_ack_get(&m, in->body) == -1 || unacked_on_ack(w, &m) == -1)
		return -1;
	api_retry_run(w);
	return 0;
}

/* The rest all look alike: decode, call. */
#define ON(name, call) \
	static int on_##name(void *w, const struct ipc_in *in) \
	{ \
		struct msg_##name m; \
		return msg_##name##_get(&m, in->body) == -1 ? -1 \
							    : call(w, &m); \
	}
ON(app_set, apps_on_set)
ON(app_del, apps_on_del)
ON(app_log, apps_on_log)
ON(session_ok, client_on_session_ok)
ON(ping, link_on_ping)
ON(pong, link_on_pong)
ON(alone, link_on_alone)
ON(cluster, on_cluster_state)
ON(cached, cache_replica_on_cached)
ON(cache_mark, cache_replica_on_mark)
ON(receipt, topic_on_receipt)
ON(roster, topic_on_roster)
ON(member, topic_on_member)
ON(merge, move_on_merge)
ON(conn_ok, admission_on_conn_ok)
ON(sub_done, client_on_sub_done)
ON(reply, api_on_reply)
ON(take_done, api_on_take_done)
ON(idem_result, idempotency_on_result)
ON(signin_done, client_on_signin_done)
ON(watchlist_event, client_on_watchlist_event)
ON(terminate, client_on_terminate)
ON(conn_query, conn_list_on_query)
ON(conn_query_more, conn_list_on_more)
ON(conn_query_cancel, conn_list_on_cancel)
ON(stats_ask, stats_on_ask)
ON(console_data, console_on_data)
ON(console_end, console_on_end)
#undef ON

const ipc_handler worker_handlers[IPC_NTYPES] = {
	[IPC_EVENT] = on_event,
	[IPC_SUB_DONE] = on_sub_done,
	[IPC_ACK] = on_ack,
	[IPC_REPLY] = on_reply,
	[IPC_RECEIPT] = on_receipt,
	[IPC_TAKE_DONE] = on_take_done,
	[IPC_IDEM_RESULT] = on_idem_result,
	[IPC_CONN_OK] = on_conn_ok,
	[IPC_SIGNIN_DONE] = on_signin_done,
	[IPC_WATCHLIST_EVENT] = on_watchlist_event,
	[IPC_TERMINATE] = on_terminate,
	[IPC_APP_SET] = on_app_set,
	[IPC_APP_DEL] = on_app_del,
	[IPC_APP_LOG] = on_app_log,
	[IPC_SESSION_OK] = on_session_ok,
	[IPC_APPS_DONE] = on_apps_done,
	[IPC_MISSED] = on_missed,
	[IPC_ALONE] = on_alone,
	[IPC_CLUSTER] = on_cluster,
	[IPC_PING] = on_ping,
	[IPC_PONG] = on_pong,
	[IPC_CACHED] = on_cached,
	[IPC_CACHE_MARK] = on_cache_mark,
	[IPC_CONN_QUERY] = on_conn_query,
	[IPC_CONN_QUERY_MORE] = on_conn_query_more,
	[IPC_CONN_QUERY_CANCEL] = on_conn_query_cancel,
	[IPC_STATS_ASK] = on_stats_ask,
	[IPC_CONSOLE_DATA] = on_console_data,
	[IPC_CONSOLE_END] = on_console_end,
	[IPC_ROSTER] = on_roster,
	[IPC_MEMBER] = on_member,
	[IPC_MERGE] = on_merge,
};
