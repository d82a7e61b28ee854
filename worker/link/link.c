/* SPDX-License-Identifier: MIT */
/*
 * link.c: the link to the broker.  Owns the socket, and knows which events of
 * which origin have been received.  When the broker dies the worker keeps its
 * clients: it reads the old link to its end, asks the master for a link to the
 * replacement (the sandbox does not let it connect), announces its clients
 * (link_handler.replay), and resends unacknowledged messages.  Receivers drop
 * duplicates by (origin, seq).  A replay is as large as all that the clients
 * have, so it leaves while it is written, and waits for the broker if that is
 * slower; not for long, because meanwhile no client is served.  Must never look
 * into messages.
 */

#include "worker/link/link.h"

#include <unistd.h>

#include "shared/base/base.h"
#include "shared/base/clock.h"
#include "shared/base/log.h"
#include "shared/conf/conf.h"
#include "shared/ipc/master_link.h"
#include "shared/net/sock.h"
#include "shared/proc/proc.h"
#include "worker/core/core.h"

#define RETRY_SECONDS 0.02
#define ENDED_SECONDS 0.001 /* the next broker is on its way */
#define REFUSED_SECONDS 0.1 /* the master had none, or it has been lost */
#define PING_SECONDS 5.
#define UNANSWERED_MAX 3        /* pings */
#define REPLAY_BYTES (1u << 20) /* of it are queued, while it waits */
#define REPLAY_WAIT_MS 300
#define LATE_US 400 /* between two late wakes of the broker, at least */
/* So many messages of one turn are worth a turn more without a sleep. */
#define LATER_MIN 2

static void
send_hello(struct worker *w)
{
	struct msg_hello m = { .version = IPC_VERSION,
		.build = str_of(proc_build_id()),
		.slot = w->inherit->slot,
		.pid = (uint32_t)getpid(),
		.origin = w->link->origin };

	link_send_hello(w, &m);
}

static void
retry_in(struct worker *w, double seconds)
{
	ev_timer_set(&w->link->retry, seconds, 0.);
	ev_timer_start(w->loop, &w->link->retry);
}

static void on_dead(void *owner, const char *why);

static void
open_link(struct worker *w, int fd)
{
	w->link->ipc_ops = (struct ipc_ops){ .peer = FROM_BROKER,
		.handlers = w->link->ops->handlers,
		.on_dead = on_dead };
	ipc_init(&w->link->ipc, w->loop, fd, &w->link->ipc_ops, w);
	w->link->ipc.places = true;
	w->link->wake.flushed = w->link->wake.patient = 0;
	w->link->wake.asleep = false;
	w->link->silent = 0;
	w->link->nin = 0;
	w->link->replay_end = 0;
	w->link->alone = false;
}

void
link_take(void *worker, int fd)
{
	struct worker *w = worker;

	if (fd == -1) {
		if (!link_is_open(w))
			retry_in(w, REFUSED_SECONDS);
		return;
	}
	if (link_is_open(w)) {
		close(fd); /* never asked for */
		return;
	}
	open_link(w, fd);
	w->link->ipc.carrier.takes_ring = true;
	w->link->state = LINK_FILLING;
	w->link->ops->hello(w);
	send_hello(w);
	link_flush(w); /* so that the broker knows: a replay takes a while */
	if (!link_is_open(w))
		return;
	w->link->replay_ms = clock_ms(CLOCK_MONOTONIC) + REPLAY_WAIT_MS;
	w->link->ipc.quiet = true; /* else what is replayed could change */
	w->link->ops->replay(w);
	w->link->ipc.quiet = false;
	w->link->replay_ms = 0;
}

void
link_replay_room(struct worker *w)
{
	struct link *l = w->link;
	uint64_t now;

	if (l->replay_ms == 0 || link_queued(w) < REPLAY_BYTES)
		return;
	link_flush(w);
	while (link_is_open(w) && link_queued(w) > REPLAY_BYTES / 2 &&
	    (now = clock_ms(CLOCK_MONOTONIC)) < l->replay_ms)
		ipc_wait(&l->ipc, (int)(l->replay_ms - now));
	l->replay_end = ipc_queued(&l->ipc);
}

size_t
link_replay_left(const struct worker *w)
{
	uint64_t sent = ipc_sent(&w->link->ipc), end = w->link->replay_end;

	return link_is_open(w) && sent < end ? (size_t)(end - sent) : 0;
}

static void
on_dead(void *owner, const char *why)
{
	struct worker *w = owner;
	bool was_up = w->link->state == LINK_UP;

	w->link->lost = why;
	ipc_close(&w->link->ipc);
	if (was_up)
		w->link->down_at = worker_now();
	w->link->state = LINK_DOWN;
	w->link->ops->lost(w);
	retry_in(
	    w, was_up && w->link->ipc.ended ? ENDED_SECONDS : RETRY_SECONDS);
}

/*
 * Only now is it logged: when all are told to leave, this one is too.  The
 * master warns of a broker that has died.
 */
static void
on_retry(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct worker *w = timer->data;

	if (w->link->lost != NULL && !w->draining && w->link->ipc.ended)
		log_info("link to the broker lost: %s", w->link->lost);
	else if (w->link->lost != NULL && !w->draining)
		log_warnx("link to the broker lost: %s", w->link->lost);
	w->link->lost = NULL;
	if (!ev_is_active(&w->master_link->io)) /* no master to ask */
		link_take(w, sock_connect_unix(w->conf->broker_path));
	else if (master_link_ask_link(w->master_link) == -1)
		retry_in(w,
		    RETRY_SECONDS); /* else the answer continues: link_take() */
}

/*
 * Ends a link whose broker is silent.  The bytes that the kernel has taken for
 * this worker have been acknowledged, so they are read to their end; nothing
 * can follow them.
 */
static void
give_up(struct worker *w)
{
	struct ipc *l = &w->link->ipc;

	carrier_shut(&l->carrier);
	ipc_drain_input(l); /* the end of it calls on_dead() */
	if (link_is_open(w))
		on_dead(w, "");
	w->link->lost = "no answer for 15 seconds";
	l->ended = false;
}

/*
 * Counts pings, not seconds: a worker that was stopped for a minute must not
 * blame the broker.  Any message is a sign of life: the answer to a ping may
 * stand after many others.
 */
static void
on_ping_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct worker *w = timer->data;
	struct link *l = w->link;
	struct msg_ping m;

	/* A broker that does not serve yet owes no answer. */
	if (!link_is_up(w))
		return;
	if (l->silent >= UNANSWERED_MAX)
		ipc_drain_input(&l->ipc); /* a word may be there, unread */
	if (!link_is_up(w))
		return;
	if (l->nin != l->ipc.nin)
		l->silent = 0;
	if (l->silent++ >= UNANSWERED_MAX) {
		give_up(w);
		return;
	}
	l->nin = l->ipc.nin;
	m.id = ++l->ping;
	link_send_ping(w, &m);
}

/* ---- sending ---- */

static void
on_wake_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
	/* The turn ends with link_turn_ends(); its clients come first. */
}

/*
 * Waking the broker costs more than a publish, so that events without
 * subscribers, and those that have been delivered, share it.  They are in
 * memory that the broker has, too, and it looks there before it does anything
 * else.
 */
static bool
all_may_wait(const struct link *l)
{
	return l->wake.patient > 0 &&
	    l->wake.patient == l->ipc.nout - l->wake.flushed;
}

/* late: the broker sleeps on, and the caller wakes it soon. */
static void
send_queue(struct link *l, bool late)
{
	l->wake.flushed = l->ipc.nout;
	l->wake.patient = 0;
	ipc_send_queue(&l->ipc, late);
}

void
link_flush(struct worker *w)
{
	struct link *l = w->link;
	bool late = all_may_wait(l);

	send_queue(l, late);
	l->wake.owed = l->wake.owed || late;
	if (l->wake.asleep)
		ipc_wake(&l->ipc);
	l->wake.asleep = false;
}

/*
 * A broker that shares this core would take it at once, and again for what the
 * clients send while the worker writes to them.
 */
bool
link_flush_later(struct worker *w)
{
	struct link *l = w->link;

	if (l->wake.asleep || l->ipc.nout - l->wake.flushed < LATER_MIN ||
	    all_may_wait(l))
		return false;
	send_queue(l, true);
	l->wake.asleep = true;
	return true;
}

void
link_turn_ends(struct worker *w)
{
	struct link_wake *wake = &w->link->wake;
	uint64_t now;

	if (!wake->owed)
		return;
	now = clock_us(CLOCK_MONOTONIC);
	if (now - wake->late_us >= LATE_US) {
		wake->owed = false;
		wake->late_us = now;
		ipc_wake(&w->link->ipc);
	} else if (!ev_is_active(&wake->timer)) {
		ev_timer_set(&wake->timer, LATE_US / 1e6, 0.);
		ev_timer_start(w->loop, &wake->timer);
	}
}

/* ---- the life of the link ---- */

void
link_init(struct worker *w)
{
	w->link->ipc.carrier.fd = -1;
	w->link->state = LINK_DOWN;
	w->link->away = *w->conf->cluster != '\0';
	w->link->down_at = worker_now();
	w->link->origin = proc_random();
	ev_timer_init(&w->link->retry, on_retry, 0., 0.);
	w->link->retry.data = w->link->pinger.data = w;
	ev_timer_init(
	    &w->link->pinger, on_ping_timer, PING_SECONDS, PING_SECONDS);
	ev_timer_start(w->loop, &w->link->pinger);
	ev_init(&w->link->wake.timer, on_wake_timer);
	if (w->inherit->move_fd == 0) /* else it comes from there */
		link_take(w, sock_connect_unix(w->conf->broker_path));
}

struct msg_move_link
link_state(struct worker *w)
{
	struct link *l = w->link;

	return (struct msg_move_link){ .broker = l->broker,
		.origin = l->origin,
		.ping = l->ping,
		.seen = str_make((const char *)l->seen.v, sizeof(l->seen.v)),
		.unread = str_make(l->ipc.in->data + l->ipc.in_off,
		    l->ipc.in->len - l->ipc.in_off) };
}

void
link_adopt(struct worker *w, int fd, struct memring *ring,
    const struct msg_move_link *m)
{
	struct link *l = w->link;

	l->broker = m->broker;
	l->origin = m->origin;
	l->ping = m->ping;
	link_saw(w, m);
	open_link(w, fd);
	if (ring != NULL)
		carrier_adopt(&l->ipc.carrier, ring, m->nread);
	buf_append(&l->ipc.in, m->unread);
	ipc_rest(&l->ipc); /* there may be whole messages in it */
	outq_push_copy(&l->ipc.out, m->unsent);
	send_hello(w); /* whose process it is now */
	l->state = LINK_UP;
	l->ops->up(w, false);
}

void
link_saw(struct worker *w, const struct msg_move_link *m)
{
	struct newest_of s;

	for (size_t at = 0; at + sizeof(s) <= m->seen.n; at += sizeof(s)) {
		memcpy(&s, m->seen.p + at, sizeof(s));
		link_is_new(w, s.origin, s.seq);
	}
}

void
link_let_go(struct worker *w)
{
	ev_timer_stop(w->loop, &w->link->pinger);
	ev_timer_stop(w->loop, &w->link->retry);
	ev_timer_stop(w->loop, &w->link->wake.timer);
	ipc_wake(&w->link->ipc); /* nobody will remember that it is owed */
	carrier_let_go(&w->link->ipc.carrier);
	ipc_close(&w->link->ipc);
	w->link->state = LINK_DOWN;
}

void
link_free(struct worker *w)
{
	ev_timer_stop(w->loop, &w->link->retry);
	ev_timer_stop(w->loop, &w->link->pinger);
	ev_timer_stop(w->loop, &w->link->wake.timer);
	ipc_close(&w->link->ipc);
}

bool
link_is_open(const struct worker *w)
{
	return ipc_is_open(&w->link->ipc);
}

/*
 * A connection alone proves nothing: the master holds the listening socket also
 * while there is no broker.
 */
bool
link_is_up(const struct worker *w)
{
	return link_is_open(w) && w->link->state == LINK_UP;
}

bool
link_takes_events(const struct worker *w)
{
	return link_is_up(w) && !w->link->away;
}

bool
link_is_alone(const struct worker *w)
{
	const struct link *l = w->link;

	return l->alone && link_is_up(w) && !l->ipc.blocked && !l->ipc.rests;
}

int
link_on_alone(struct worker *w, const struct msg_alone *m)
{
	w->link->alone = m->alone != 0;
	return 0;
}

int
link_on_cluster(struct worker *w, const struct msg_cluster *m)
{
	w->link->away = m->up == 0;
	w->link->lacks_apps = m->apps == 0;
	w->link->leaves = m->leaves != 0;
	return 0;
}

size_t
link_queued(const struct worker *w)
{
	return outq_bytes(&w->link->ipc.out);
}

uint64_t
link_bytes_in(const struct worker *w)
{
	return w->link->ipc.nread;
}

struct ipc *
link_ipc(struct worker *w)
{
	return link_is_open(w) ? &w->link->ipc : NULL;
}

bool
link_is_new(struct worker *w, uint64_t origin, uint64_t seq)
{
	return origin == 0 || newest_raise(&w->link->seen, origin, seq);
}

void
link_forget(struct worker *w)
{
	w->link->seen = (struct newest){ 0 };
}

int
link_on_apps_done(struct worker *w, const struct msg_apps_done *m)
{
	bool dropped = m->broker == w->link->broker && m->broker != 0;

	w->link->state = LINK_UP;
	w->link->broker = m->broker;
	w->link->ops->up(w, dropped);
	return 0;
}

int
link_on_ping(struct worker *w, const struct msg_ping *m)
{
	struct msg_pong pong = { .id = m->id };

	link_send_pong(w, &pong);
	return 0;
}

int
link_on_pong(struct worker *w, const struct msg_pong *m)
{
	return m->id > w->link->ping ? -1 : 0;
}
