/* SPDX-License-Identifier: MIT */
/*
 * from_broker.c: the messages of the broker: endpoints, and events for them.
 * Each event becomes rows of the outbox, together with the states that the
 * application learns from it.  An event that has been received before, from
 * this broker or the previous one, is recognized by its number.  Must never
 * acknowledge anything itself: store_commit() does.
 */

#include "broker/courier/from_broker.h"

#include <stdlib.h>

#include "broker/courier/core.h"
#include "broker/courier/endpoint.h"
#include "broker/courier/minutes.h"
#include "broker/courier/sender.h"
#include "broker/courier/status.h"
#include "broker/courier/store.h"
#include "shared/app/outbox.h"
#include "shared/base/base.h"
#include "shared/base/log.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "shared/pusher/webhook.h"

#define SHRINK 2000 /* at most so many rows are dropped at once */

static int
on_endpoint(void *owner, const struct ipc_in *in)
{
	struct msg_endpoint m;

	if (msg_endpoint_get(&m, in->body) == -1)
		return -1;
	endpoint_set(owner, &m);
	return 0;
}

static int
on_endpoints_done(void *owner, const struct ipc_in *in)
{
	struct courier *c = owner;
	struct msg_endpoints_done m;
	bool gone;

	if (msg_endpoints_done_get(&m, in->body) == -1)
		return -1;
	store_commit(c); /* new events may be for removed endpoints */
	gone = endpoint_sweep(c);
	c->known = true;
	free(c->database);
	c->database = str_dup(m.database);
	if (c->outbox == NULL) {
		if (store_is_needed(c) && c->trouble == NULL)
			store_open(c);
		else
			status_tell(c);
		return 0;
	}
	if (gone)
		store_load(c);
	if (!c->reported_ready)
		status_tell(c);
	sender_kick_all(c);
	return 0;
}

static int
send_hook_state(void *arg, const struct outbox_hook_state *f)
{
	struct courier *c = arg;
	struct msg_hook_state m = { .app = f->app,
		.missed = f->missed,
		.owner = f->owner,
		.channel = f->channel,
		.user_id = f->user };

	ipc_send_hook_state(&c->ipc, &m);
	return 0;
}

static int
on_start(void *owner, const struct ipc_in *in)
{
	struct courier *c = owner;
	struct msg_hook_start m;
	struct msg_hook_states_done done = { 0 };

	if (msg_hook_start_get(&m, in->body) == -1)
		return -1;
	if (c->full)
		return 0; /* the broker knows */
	store_commit(c);
	if (!courier_has_outbox(c))
		return 0;
	c->origin = m.origin;
	if (outbox_get_seq(c->outbox, m.origin, &c->seq) == -1 ||
	    (m.want_states &&
		outbox_each_hook_state(c->outbox, send_hook_state, c) == -1)) {
		courier_outbox_failed(c);
		return 0;
	}
	if (m.want_states)
		ipc_send_hook_states_done(&c->ipc, &done);
	c->started = true;
	return 0;
}

/* Records in the outbox what the application learns from this event. */
static int
tell(struct courier *c, const struct msg_hook *m)
{
	struct outbox_hook_state f = { .app = m->app,
		.owner = m->owner,
		.channel = m->channel,
		.user = m->user_id };

	switch (m->kind) {
	case WEBHOOK_CACHE_MISS:
		f.missed = true;
		return outbox_set_hook_state(c->outbox, &f);
	case WEBHOOK_OCCUPIED:
	case WEBHOOK_MEMBER_ADDED:
	case WEBHOOK_FILLED:
		return outbox_set_hook_state(c->outbox, &f);
	case WEBHOOK_VACATED:
	case WEBHOOK_MEMBER_REMOVED:
		return outbox_delete_hook_state(c->outbox, &f);
	default:
		return 0;
	}
}

/*
 * 1: an earlier broker has handed over this client event already.  The events
 * of a worker come in its order only within one app (broker/webhook/queue.c).
 */
static int
is_repeated(struct courier *c, const struct msg_hook *m)
{
	uint64_t source = hash_sip13(m->source, 0, m->app, S("")), seq;

	if (m->source == 0)
		return 0;
	if (outbox_get_seq(c->outbox, source, &seq) == -1)
		return -1;
	if (m->source_seq <= seq)
		return 1;
	return outbox_set_seq(
	    c->outbox, source, m->source_seq, courier_now_ms());
}

static int
take(struct courier *c, const struct msg_hook *m)
{
	struct endpoint *e;
	uint32_t num;
	int r = is_repeated(c, m);

	if (r != 0)
		return r == 1 ? 0 : -1;
	if (tell(c, m) == -1)
		return -1;
	for (size_t i = 0; i < m->endpoints.n; i += sizeof(num)) {
		memcpy(&num, m->endpoints.p + i, sizeof(num));
		e = endpoint_find(c, num);
		if (e != NULL && endpoint_add(e, m) == -1)
			return -1;
	}
	return 0;
}

/*
 * The endpoint that holds more than its share of a full outbox gives way, so
 * that an endpoint that does not answer never blocks others.  Returns how many
 * of its rows were dropped, or -1.
 */
static int
yield_share(struct courier *c, unsigned some)
{
	const struct conf *conf = c->conf;
	struct outbox_counts all;
	struct outbox_holder h;
	struct endpoint *e;
	uint64_t ids[SHRINK];
	bool by_bytes;
	int n;

	if (c->endpoints.n < 2)
		return 0;
	outbox_count(c->outbox, &all);
	by_bytes = all.bytes > conf->outbox_max_bytes;
	if (outbox_largest(c->outbox, by_bytes, &h) == -1)
		return -1;
	if (h.rows <= conf->outbox_max_rows / c->endpoints.n &&
	    h.bytes <= conf->outbox_max_bytes / c->endpoints.n)
		return 0;
	n = outbox_yield(c->outbox, h.endpoint, MIN(some, SHRINK), ids);
	if (n <= 0)
		return n;
	e = endpoint_find(c, h.endpoint);
	if (e != NULL) {
		queues_drop(&e->queues, ids, (size_t)n);
		sender_kick(e);
	}
	c->dropped += (uint64_t)n;
	log_warnx("webhook %u: the outbox is full and it holds most of it "
		  "(%llu requests): its oldest are dropped total=%llu",
	    h.endpoint, (unsigned long long)h.rows,
	    (unsigned long long)c->dropped);
	return n;
}

/*
 * Makes room: the oldest dead letters go first, then the oldest client events.
 * If nothing may be dropped, the broker keeps its events.
 */
static int
make_room(struct courier *c)
{
	uint64_t some = MIN(c->conf->outbox_max_rows / 100, SHRINK);
	int n;

	if (!store_is_over_bound(c, 100))
		return 0;
	n = yield_share(c, (unsigned)some);
	if (n != 0)
		return n == -1 ? -1 : 0;
	n = outbox_shrink(c->outbox, (unsigned)some);
	if (n == -1)
		return -1;
	if (n > 0) {
		c->dropped += (uint64_t)n;
		log_warnx("webhooks: the outbox is full, the oldest dead "
			  "letters or client events are dropped total=%llu",
		    (unsigned long long)c->dropped);
		return 0;
	}
	store_commit(c);
	if (!courier_has_outbox(c))
		return 0;
	c->full = true;
	status_trouble(c,
	    xasprintf("%s is full (outbox_max_rows, outbox_max_bytes)",
		c->conf->outbox));
	status_tell(c);
	return 0;
}

static int
on_hook(void *owner, const struct ipc_in *in)
{
	struct courier *c = owner;
	struct msg_hook m;

	if (msg_hook_get(&m, in->body) == -1 ||
	    m.endpoints.n % sizeof(uint32_t) != 0)
		return -1;
	if (!c->started || !courier_has_outbox(c))
		return 0; /* it is sent again after the next HOOK_START */
	c->owes_ack = true;
	if (m.seq > c->seq) {
		if (take(c, &m) == -1) {
			courier_outbox_failed(c);
			return 0;
		}
		c->seq = m.seq;
	}
	courier_commit_soon(c, COURIER_COMMIT);
	if (make_room(c) == -1)
		courier_outbox_failed(c);
	return 0;
}

static int
on_ping(void *owner, const struct ipc_in *in)
{
	struct courier *c = owner;
	struct msg_ping m;
	struct msg_pong pong;

	if (msg_ping_get(&m, in->body) == -1)
		return -1;
	pong = (struct msg_pong){ .id = m.id };
	ipc_send_pong(&c->ipc, &pong);
	return 0;
}

static int
on_minute(void *owner, const struct ipc_in *in)
{
	struct msg_minute m;

	return msg_minute_get(&m, in->body) == -1 ? -1
						  : minutes_take(owner, &m);
}

static int
on_minutes_ask(void *owner, const struct ipc_in *in)
{
	struct msg_minutes_ask m;

	return msg_minutes_ask_get(&m, in->body) == -1
	    ? -1
	    : minutes_on_ask(owner, &m);
}

const ipc_handler from_broker_handlers[IPC_NTYPES] = {
	[IPC_ENDPOINT] = on_endpoint,
	[IPC_ENDPOINTS_DONE] = on_endpoints_done,
	[IPC_HOOK_START] = on_start,
	[IPC_HOOK] = on_hook,
	[IPC_MINUTE] = on_minute,
	[IPC_MINUTES_ASK] = on_minutes_ask,
	[IPC_PING] = on_ping,
};
