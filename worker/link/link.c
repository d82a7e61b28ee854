/* SPDX-License-Identifier: MIT */
/*
 * link.c: the link to the broker.  Owns the socket, and knows which events of
 * which origin have been here.
 *
 * When the broker dies the worker keeps its clients: it reads the old link to
 * its end, asks the master for a link to the replacement (the sandbox does not
 * let it connect), says who is there (replay), and sends again what was not
 * acknowledged.  Receivers drop what they have seen by
 * (origin, seq).
 */

#include "worker/link/link.h"

#include <sys/socket.h>
#include <unistd.h>

#include "shared/app/app.h"
#include "shared/base/log.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "shared/net/sock.h"
#include "shared/proc/proc.h"
#include "worker/channel/roster.h"
#include "worker/channel/subscription.h"
#include "worker/channel/topic.h"
#include "worker/client/client.h"
#include "worker/client/handshake.h"
#include "worker/conn/api.h"
#include "worker/conn/conn.h"
#include "worker/dispatch.h"
#include "worker/link/held.h"
#include "worker/link/kept.h"
#include "worker/worker.h"

#define RETRY_SECONDS 0.02
#define HIGH_BYTES (8u << 20)  /* queued: publishes are refused above */
#define LOW_BYTES (2u << 20)   /* … and accepted again below */
#define KEPT_BYTES (64u << 20) /* not acknowledged, at most */
#define PING_SECONDS 5.
#define UNANSWERED_MAX 3 /* pings */
#define LEAVE_SECONDS 1. /* in which the clients are told */

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
	LIST_FOREACH(e, &c->subs) {
		struct subscription *s =
		    LIST_ITEM(e, struct subscription, in_conn);

		if (s->on && !s->user)
			subscription_replay(c->w, s, conn_sid(c));
	}
}

static void
each_conn(struct worker *w, void (*fn)(struct conn *))
{
	struct hash_node *n;

	for (n = hash_first(&w->conns); n != NULL;
	     n = hash_next(&w->conns, n)) {
		struct conn *c = CONN_OF(n, node);

		if (!c->closed && c->app != NULL)
			fn(c);
	}
}

/* Questions that nobody has answered, behind everything else. */
static void
ask_again(struct conn *c)
{
	struct list *e;

	handshake_ask_again(c);
	LIST_FOREACH(e, &c->subs) {
		struct subscription *s =
		    LIST_ITEM(e, struct subscription, in_conn);

		flow_asked(c, s->again);
		subscription_ask_again(s);
	}
}

static void
replay(struct worker *w)
{
	struct msg_resync_done done = { 0 };

	if (w->link.seq > w->link.acked)
		done.seq = w->link.seq;
	each_conn(w, flow_forget);
	kept_replay(w);
	each_conn(w, replay_conn);
	roster_replay(w);
	held_replay(w);
	ipc_send_resync_done(&w->link.ipc, &done);
	kept_resend(w);
	each_conn(w, ask_again);
	each_conn(w, flow_check);
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

void
link_take(struct worker *w, int fd)
{
	if (link_is_open(w)) {
		close(fd); /* never asked for */
		return;
	}
	if (fd == -1) {
		retry_later(w);
		return;
	}
	ipc_init(&w->link.ipc, w->loop, fd, &ops, w);
	w->link.state = LINK_FILLING;
	apps_mark(w);
	w->link.silent = 0;
	w->link.heard = 0;
	send_hello(w);
	link_flush(w); /* so that the broker knows: a replay takes a while */
	if (link_is_open(w))
		replay(w);
}

static void
on_dead(void *owner, const char *why)
{
	struct worker *w = owner;

	w->link.lost = why;
	ipc_close(&w->link.ipc);
	if (w->link.state == LINK_UP)
		w->link.down_at = worker_now();
	w->link.state = LINK_DOWN;
	api_link_lost(w);
	walks_clear(w);
	retry_later(w);
}

/* Only now is it logged: when all are told to leave, this one is too. */
static void
on_retry(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct worker *w = container_of(timer, struct worker, link.retry);

	UNUSED(loop);
	UNUSED(revents);
	if (w->link.lost != NULL && !w->draining)
		log_warnx("link to the broker lost: %s", w->link.lost);
	w->link.lost = NULL;
	if (!ev_is_active(&w->orders.io)) /* nobody to ask */
		link_take(w, sock_connect_unix(w->conf->broker_path));
	else if (orders_ask_link(&w->orders) == -1)
		retry_later(w); /* else the answer goes on: link_take() */
}

/*
 * Ends a link whose broker says nothing.  What the kernel has taken for this
 * worker has been acknowledged, so it is read to its end; nothing can be added
 * behind it.
 */
static void
give_up(struct worker *w)
{
	struct ipc *l = &w->link.ipc;

	shutdown(l->fd, SHUT_RDWR);
	ipc_drain_input(l); /* the end of it calls on_dead() */
	if (link_is_open(w))
		on_dead(w, "");
	w->link.lost = "no answer for 15 seconds";
}

/*
 * Counts pings, not seconds: a worker that was stopped for a minute must not
 * blame the broker.  Any message is a sign of life: the answer to a ping may
 * stand behind many others.
 */
static void
on_ping_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct worker *w = container_of(timer, struct worker, link.pinger);
	struct link *l = &w->link;
	struct msg_ping m;

	UNUSED(loop);
	UNUSED(revents);
	/* A broker that has not begun to serve owes no answer. */
	if (!link_is_up(w))
		return;
	if (l->silent >= UNANSWERED_MAX)
		ipc_drain_input(&l->ipc); /* a word may be there, unread */
	if (!link_is_up(w))
		return;
	if (l->heard != l->ipc.nin)
		l->silent = 0;
	if (l->silent++ >= UNANSWERED_MAX) {
		give_up(w);
		return;
	}
	l->heard = l->ipc.nin;
	m.id = ++l->ping;
	ipc_send_ping(&l->ipc, &m);
}

void
link_init(struct worker *w)
{
	w->link.ipc.fd = -1;
	w->link.state = LINK_DOWN;
	w->link.down_at = worker_now();
	w->link.origin = proc_random();
	outq_init(&w->link.kept);
	ev_timer_init(&w->link.retry, on_retry, 0., 0.);
	ev_timer_init(
	    &w->link.pinger, on_ping_timer, PING_SECONDS, PING_SECONDS);
	ev_timer_start(w->loop, &w->link.pinger);
	link_take(w, sock_connect_unix(w->conf->broker_path));
}

void
link_free(struct worker *w)
{
	ev_timer_stop(w->loop, &w->link.retry);
	ev_timer_stop(w->loop, &w->link.pinger);
	ipc_close(&w->link.ipc);
	kept_free(w);
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

/*
 * A connection alone says nothing: the master holds the listening socket also
 * while there is no broker.
 */
bool
link_is_up(const struct worker *w)
{
	return link_is_open(w) && w->link.state == LINK_UP;
}

bool
link_may_answer(const struct worker *w, uint64_t seq)
{
	const struct link *l = &w->link;

	if (!link_is_up(w) && worker_now() - l->down_at > LINK_ANSWER_SECONDS)
		return true;
	if (w->conf->nworkers > 1)
		return seq <= l->taken;
	return link_is_open(w) && outq_is_empty(&l->ipc.out);
}

void
link_tick(struct worker *w)
{
	if (!link_is_up(w))
		conn_release_held(w);
}

bool
link_may_publish(struct worker *w)
{
	struct link *l = &w->link;
	/* Of the events that are kept, no more than this has not left yet. */
	size_t queued = MIN(outq_bytes(&l->ipc.out), l->events);

	if (!link_is_up(w))
		return l->events < HIGH_BYTES;
	if (queued > HIGH_BYTES)
		l->high = true;
	else if (queued < LOW_BYTES)
		l->high = false;
	return !l->high && l->events < KEPT_BYTES;
}

bool
link_is_news(struct worker *w, uint64_t origin, uint64_t seq)
{
	struct link *l = &w->link;
	struct seen *s = &l->seen[l->seen_at];

	if (origin == 0)
		return true;
	if (s->origin != origin) {
		for (unsigned i = 0; i < LINK_SEEN; i++)
			if (l->seen[i].origin == origin) {
				l->seen_at = i;
				break;
			}
		if (l->seen[l->seen_at].origin != origin) {
			l->seen_at = l->seen_next;
			l->seen_next = (l->seen_next + 1) % LINK_SEEN;
			l->seen[l->seen_at] = (struct seen){ origin, 0 };
		}
		s = &l->seen[l->seen_at];
	}
	if (seq <= s->seq)
		return false;
	s->seq = seq;
	return true;
}

/*
 * The same broker once more: it has thrown away what was queued for us.  Our
 * clients lack events, and have to know it.
 */
static void
check_broker(struct worker *w, uint64_t broker)
{
	if (broker == w->link.broker && broker != 0) {
		log_warnx("the broker had dropped this worker: leaving");
		drain_start(w, LEAVE_SECONDS);
	}
	w->link.broker = broker;
}

int
link_on_apps_done(struct worker *w, const struct msg_apps_done *m)
{
	w->link.state = LINK_UP;
	check_broker(w, m->broker);
	apps_sweep(w);
	worker_serve(w);
	api_park_run(w);
	return 0;
}

int
link_on_missed(struct worker *w)
{
	drain_tell(w, LEAVE_SECONDS);
	return 0;
}

int
link_on_ping(struct worker *w, const struct msg_ping *m)
{
	struct msg_pong pong = { .id = m->id };

	ipc_send_pong(&w->link.ipc, &pong);
	return 0;
}

int
link_on_pong(struct worker *w, const struct msg_pong *m)
{
	return m->id > w->link.ping ? -1 : 0;
}
