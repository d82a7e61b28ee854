/* SPDX-License-Identifier: MIT */
/*
 * link.c: the link to the broker.  Owns the socket, the numbering of this
 * worker's events, and a copy (by reference) of every event until the broker
 * says that all who want it have it.
 *
 * When the broker dies the worker keeps its clients: it reads the old link to
 * its end, connects to the replacement, says who is there (replay), and sends
 * again what was not acknowledged.  Receivers drop what they have seen by
 * (origin, seq).
 */

#include "worker/link.h"

#include <unistd.h>

#include "shared/app.h"
#include "shared/conf.h"
#include "shared/log.h"
#include "shared/proc.h"
#include "shared/sock.h"
#include "shared/xmalloc.h"
#include "worker/api.h"
#include "worker/client.h"
#include "worker/conn.h"
#include "worker/dispatch.h"
#include "worker/handshake.h"
#include "worker/subscription.h"
#include "worker/topic.h"
#include "worker/worker.h"

#define RETRY_SECONDS 0.02
#define HIGH_BYTES (8u << 20)  /* queued: publishes are refused above */
#define LOW_BYTES (2u << 20)   /* … and accepted again below */
#define KEPT_BYTES (64u << 20) /* not acknowledged, at most */
#define ARENA_BYTES (64u << 10)

static void
send_hello(struct worker *w)
{
	struct msg_hello m = { .version = IPC_VERSION,
		.build = str_of(proc_build_id()),
		.slot = w->inherit->slot,
		.pid = (uint32_t)getpid(),
		.origin = w->link.origin };

	ipc_send_hello(&w->link.ipc, &m);
}

/* Says what one connection has, as if it happened now. */
static void
replay_conn(struct conn *c)
{
	struct list *e;

	handshake_replay(c);
	client_signin_replay(c);
	LIST_FOREACH(e, &c->subs)
		subscription_send(LIST_ITEM(e, struct subscription, in_conn));
}

static void
replay(struct worker *w)
{
	struct msg_resync_done done = { 0 };
	struct hash_node *n;

	for (n = hash_first(&w->conns); n != NULL;
	     n = hash_next(&w->conns, n)) {
		struct conn *c = container_of(n, struct conn, node);

		if (!c->closed && c->app != NULL)
			replay_conn(c);
	}
	ipc_send_resync_done(&w->link.ipc, &done);
}

/* Queues every event again that the old broker did not acknowledge. */
static void
resend(struct worker *w)
{
	struct outq *q = &w->link.kept;

	for (uint32_t i = 0; i < q->n; i++) {
		const struct slice *s = outq_at(q, i);

		ipc_queue(&w->link.ipc, s->b, s->off, s->len);
	}
}

static void on_dead(void *owner, const char *why);

static void
on_drained(void *owner)
{
	conn_release_held(owner);
}

static const struct ipc_ops ops = {
	.peer = FROM_BROKER,
	.handlers = worker_handlers,
	.on_dead = on_dead,
	.on_drained = on_drained,
};

static void
retry_later(struct worker *w)
{
	ev_timer_set(&w->link.retry, RETRY_SECONDS, 0.);
	ev_timer_start(w->loop, &w->link.retry);
}

static void
link_connect(struct worker *w)
{
	int fd = sock_connect_unix(w->conf->broker_path);

	if (fd == -1) {
		retry_later(w);
		return;
	}
	ipc_init(&w->link.ipc, w->loop, fd, &ops, w);
	w->link.state = LINK_FILLING;
	apps_mark(w);
	send_hello(w);
	replay(w);
	resend(w);
}

static void
on_dead(void *owner, const char *why)
{
	struct worker *w = owner;

	if (!w->draining)
		log_warnx("link to the broker lost: %s", why);
	ipc_close(&w->link.ipc);
	w->link.state = LINK_DOWN;
	w->link.down_since = worker_now();
	api_link_lost(w);
	retry_later(w);
}

static void
on_retry(struct ev_loop *loop, ev_timer *timer, int revents)
{
	UNUSED(loop);
	UNUSED(revents);
	link_connect(container_of(timer, struct worker, link.retry));
}

void
link_init(struct worker *w)
{
	w->link.ipc.fd = -1;
	w->link.state = LINK_DOWN;
	w->link.down_since = worker_now();
	w->link.origin = proc_random();
	outq_init(&w->link.kept);
	ev_timer_init(&w->link.retry, on_retry, 0., 0.);
	link_connect(w);
}

void
link_free(struct worker *w)
{
	ev_timer_stop(w->loop, &w->link.retry);
	ipc_close(&w->link.ipc);
	outq_clear(&w->link.kept);
	free(w->link.kept_len);
	buf_unref(w->link.arena);
}

void
link_flush(struct worker *w)
{
	ipc_flush(&w->link.ipc);
}

bool
link_is_open(const struct worker *w)
{
	return ipc_is_open(&w->link.ipc);
}

bool
link_is_drained(const struct worker *w)
{
	return ipc_is_open(&w->link.ipc) && outq_is_empty(&w->link.ipc.out);
}

bool
link_may_publish(struct worker *w)
{
	struct link *l = &w->link;
	size_t queued = l->ipc.fd == -1 ? 0 : outq_bytes(&l->ipc.out);

	if (l->state == LINK_DOWN &&
	    worker_now() - l->down_since > LINK_HOLD_SECONDS)
		return false;
	if (queued > HIGH_BYTES)
		l->high = true;
	else if (queued < LOW_BYTES)
		l->high = false;
	return !l->high && outq_bytes(&l->kept) < KEPT_BYTES;
}

/* Remembers that the next kept event is n bytes long. */
static void
keep_length(struct link *l, uint32_t n)
{
	uint32_t count = (uint32_t)(l->seq - l->acked - 1);

	if (count == l->kept_cap) {
		uint32_t cap = MAX(64u, l->kept_cap * 2);
		uint32_t *v = xcalloc(cap, sizeof(*v));

		for (uint32_t i = 0; i < count; i++)
			v[i] =
			    l->kept_len[(l->kept_head + i) & (l->kept_cap - 1)];
		free(l->kept_len);
		l->kept_len = v;
		l->kept_head = 0;
		l->kept_cap = cap;
	}
	l->kept_len[(l->kept_head + count) & (l->kept_cap - 1)] = n;
}

void
link_send_event(struct worker *w, struct msg_event *m)
{
	struct link *l = &w->link;
	uint32_t n, off;

	m->origin = l->origin;
	m->seq = ++l->seq;
	n = (uint32_t)msg_event_size(m);
	if (l->arena != NULL && l->arena->refs == 1)
		l->arena->len = 0;
	if (l->arena == NULL || buf_room(l->arena) < n) {
		buf_unref(l->arena);
		l->arena = buf_new(MAX(n, ARENA_BYTES));
	}
	off = l->arena->len;
	msg_event_put(l->arena->data + off, m);
	l->arena->len += n;
	keep_length(l, n);
	outq_push(&l->kept, l->arena, off, n);
	if (link_is_open(w))
		ipc_queue(&l->ipc, l->arena, off, n);
}

int
link_on_ack(struct worker *w, const struct msg_ack *m)
{
	struct link *l = &w->link;
	size_t bytes = 0;

	if (m->seq > l->seq)
		return -1;
	while (l->acked < m->seq) {
		bytes += l->kept_len[l->kept_head];
		l->kept_head = (l->kept_head + 1) & (l->kept_cap - 1);
		l->acked++;
	}
	outq_consume(&l->kept, bytes);
	return 0;
}

int
link_on_apps_done(struct worker *w)
{
	w->link.state = LINK_UP;
	apps_sweep(w);
	worker_serve(w);
	return 0;
}

int
link_on_ping(struct worker *w, const struct msg_ping *m)
{
	struct msg_pong pong = { .id = m->id };

	ipc_send_pong(&w->link.ipc, &pong);
	return 0;
}
