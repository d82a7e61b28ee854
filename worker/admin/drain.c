/* SPDX-License-Identifier: MIT */
/*
 * drain.c: the end of a worker.  Its clients are told to reconnect, a portion
 * at a time, so that the processes that take them over are not overloaded.
 * Owns the list of clients to tell.  The list is made at the beginning, and
 * again at its end for clients that have connected meanwhile.  Connections that
 * have not answered are closed some seconds after all have been told.
 *
 * The process exits when no client is left and a broker has taken everything
 * that was accepted.  Its wait for a broker is bounded, and there is none when
 * the whole group stops.
 *
 * When the whole group stops, the next server is not there yet, and a client
 * whose connection the system refuses may wait for 15 seconds.  A few clients
 * are all told at once, with 4100, and come back after a second.  Many clients
 * are told over some time, with 4200, and come back at once: they get their
 * upgrade but no greeting.  At the end all workers together close them with
 * 4100 (etc/doc/restart.md).
 */

#include "worker/admin/drain.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>

#include "shared/base/base.h"
#include "shared/base/hash.h"
#include "shared/base/log.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "shared/ipc/master_link.h"
#include "worker/client/client.h"
#include "worker/conn/conn.h"
#include "worker/conn/listener.h"
#include "worker/conn/timeout.h"
#include "worker/conn/transport.h"
#include "worker/conn/ws.h"
#include "worker/core/core.h"
#include "worker/link/link.h"
#include "worker/link/unacked.h"
#include "worker/session/session.h"

#define TICK 0.05          /* seconds between two portions */
#define MIN_RATE 300.0     /* closes per second, at least */
#define GRACE 3.0          /* seconds for peers to answer the close */
#define HURRY_GRACE 1.0    /* likewise: a process waits for this one */
#define STOP_GRACE 1.0     /* likewise, when the group leaves */
#define FEW 1000           /* connections that are told at once */
#define FEW_GRACE 0.25     /* likewise: they come back in a second */
#define QUIET_SECONDS 0.3  /* seconds in which told clients reconnect */
#define LAST_SECONDS 0.2   /* for newcomers to take their 4100 */
#define RETIRE_SECONDS 1.5 /* seconds for connections on their way here */
#define LINGER_SECONDS 3.  /* to answer the close, before their TLS ends */
#define BROKER_SECONDS 60. /* seconds for a broker to take all messages */

struct candidate {
	uint64_t sid;
	bool busy;   /* has subscriptions */
	double last; /* worker_now() of its last message, roughly */
};

static int
compare(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	if (x->busy != y->busy)
		return x->busy ? 1 : -1;
	return x->last < y->last ? -1 : x->last > y->last;
}

static bool
is_parting(const struct conn *c)
{
	return c->state >= CONN_PARTING;
}

/* Is the connection waiting for drain_end()? */
static bool
is_deferred(const struct conn *c)
{
	return c->w->defer_since != 0 && !c->greeted &&
	    c->opened_at >= c->w->defer_since;
}

/* Until then another process encrypts for it; 0: none does. */
static double
lingers_until(const struct conn *c)
{
	return c->transport == NULL ? 0 : c->transport->until;
}

/* It misses nothing when it comes back. */
static bool
is_sure(const struct conn *c)
{
	return c->session.named && session_is_sure(c->w->sessions, &c->session);
}

/*
 * Lists all connections that have not been told yet; until != 0: of those that
 * linger, and no longer than that or need not; clients: only WebSockets.
 */
static void
make_list(struct worker *w, double until, bool clients)
{
	struct drain *d = w->drain;
	struct candidate *v = xcalloc(w->conns.n, sizeof(*v));
	struct hash_node *n;
	size_t count = 0, i;

	for (n = hash_first(&w->conns); n != NULL && count < w->conns.n;
	     n = hash_next(&w->conns, n)) {
		const struct conn *c = CONN_OF(n, node);

		if (is_parting(c) || is_deferred(c) ||
		    (clients && c->ops != &ws_ops) ||
		    (until != 0 &&
			(lingers_until(c) == 0 ||
			    (lingers_until(c) > until && !is_sure(c)))))
			continue;
		v[count++] = (struct candidate){ conn_sid(c),
			c->ops == &ws_ops && !list_is_empty(&c->subs),
			timeout_started(&c->timeout) };
	}
	if (count > 0)
		qsort(v, count, sizeof(*v), compare);
	free(d->sids);
	d->sids = xcalloc(count, sizeof(*d->sids));
	for (i = 0; i < count; i++)
		d->sids[i] = v[i].sid;
	d->n = count;
	d->next = 0;
	free(v);
}

/* Closes one connection in the way of its protocol. */
static void
send_away(struct conn *c)
{
	if (c->ops == &ws_ops)
		client_part(c, c->w->drain->few ? 4100 : 4200,
		    c->w->link->leaves ? "the server has left its cluster"
				       : "the server is restarting");
	else if (!conn_input_is(c, INPUT_PAUSED))
		conn_finish(c);
}

/*
 * Only new clients are left, and clients that do not answer the close.  A
 * client that was asked for its last confirmation has its own deadline.
 */
static bool
is_quiet(struct worker *w)
{
	const struct drain *d = w->drain;
	bool late = worker_now() > d->end + d->grace;
	struct hash_node *n;

	HASH_FOREACH(n, &w->conns) {
		const struct conn *c = container_of(n, struct conn, node);

		/*
		 * A client that was refused for another reason is a newcomer,
		 * too.
		 */
		if (c->state < CONN_LOST &&
		    (!late || c->state == CONN_PARTING) &&
		    c->opened_at < d->began)
			return false;
	}
	return true;
}

/* Tells the master, once, when all clients have had time to reconnect. */
static void
check_quiet(struct worker *w)
{
	struct drain *d = w->drain;
	double wait = d->few ? 0. : QUIET_SECONDS;

	if (d->reported || d->next < d->n || !is_quiet(w))
		return;
	if (d->quiet_at == 0)
		d->quiet_at = worker_now();
	if (worker_now() < d->quiet_at + wait)
		return;
	d->reported = true;
	if (master_link_drained(w->master_link) == -1) {
		log_warn("drain: cannot report to the master");
		ev_break(w->loop, EVBREAK_ALL);
	}
}

static void
close_all(struct worker *w)
{
	struct hash_node *n, *next;

	HASH_FOREACH_SAFE(n, next, &w->conns)
		conn_close(CONN_OF(n, node));
}

/* Tells so many of the clients in the list. */
static void
send_listed(struct worker *w, long portion)
{
	struct drain *d = w->drain;

	while (d->next < d->n && portion > 0) {
		struct conn *c = conn_find(w, d->sids[d->next++]);

		if (c == NULL || is_parting(c))
			continue;
		send_away(c);
		portion--;
	}
}

static void
on_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct worker *w = timer->data;
	struct drain *d = w->drain;
	double left = d->end - worker_now(), rate;
	long portion;

	if (d->telling && !d->on && d->next == d->n) {
		d->telling = false;
		ev_timer_stop(loop, timer);
		return;
	}
	if (!d->on && d->held) {
		d->end += TICK;
		return;
	}
	if (d->on && left < -d->grace && !d->stopping) {
		if (w->nconns > 0)
			log_info(
			    "drain: %u connections were not closed in time",
			    w->nconns);
		close_all(w);
		return;
	}
	/* If all slots share a socket, the others accept from it. */
	if (d->retiring && worker_now() > d->began + RETIRE_SECONDS)
		listener_stop(w);
	if (d->on && d->next == d->n)
		make_list(w, 0, false);
	rate = MAX(d->few ? FEW / TICK : MIN_RATE,
	    (double)(d->n - d->next) / MAX(left, TICK));
	portion = (long)ceil(rate * TICK);
	send_listed(w, portion);
	if (d->stopping)
		check_quiet(w);
}

static void
begin(struct worker *w, double seconds)
{
	struct drain *d = w->drain;

	d->began = worker_now();
	w->defer_since = d->stopping ? d->began : 0;
	d->end = d->began + seconds;
	if (d->few)
		d->end = d->began;
	if (d->on)
		return;
	d->on = true;
	d->grace = GRACE;
	if (d->stopping)
		d->grace = d->few ? FEW_GRACE : STOP_GRACE;
	ev_timer_set(&d->timer, 0., TICK);
	ev_timer_start(w->loop, &d->timer);
}

static void
tell(struct worker *w, double seconds)
{
	struct drain *d = w->drain;

	d->end = worker_now() + seconds;
	d->telling = true;
	ev_timer_set(&d->timer, 0., TICK);
	ev_timer_start(w->loop, &d->timer);
}

static void
on_linger(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct worker *w = timer->data;
	struct drain *d = w->drain;

	if (d->on)
		return; /* they are told in any case */
	if (d->telling || d->held) {
		ev_timer_set(timer, 1., 0.);
		ev_timer_start(loop, timer);
		return;
	}
	make_list(w, worker_now() + drain_lingering_seconds(w), false);
	if (d->n > 0) {
		log_info("drain: closing %zu connections with TLS of an "
			 "earlier process, over %llu s",
		    d->n, (unsigned long long)w->conf->drain_time);
		tell(w, (double)w->conf->drain_time);
	}
	drain_lingering(w);
}

double
drain_lingering_seconds(const struct worker *w)
{
	return (double)w->conf->drain_time + LINGER_SECONDS;
}

void
drain_lingering(struct worker *w)
{
	double soon =
	    worker_now() + drain_lingering_seconds(w) + DRAIN_SETTLE_SECONDS;
	double until = INFINITY, left;
	struct hash_node *n;

	HASH_FOREACH(n, &w->conns) {
		const struct conn *c = CONN_OF(n, node);

		if (lingers_until(c) == 0 || is_parting(c))
			continue;
		until = MIN(until, lingers_until(c));
		/* It may have a session by then, or answer again. */
		if (c->ops != &ws_ops || c->session.named)
			until = MIN(until, soon);
	}
	ev_timer_stop(w->loop, &w->drain->linger);
	if (isinf(until))
		return;
	left = until - worker_now() - drain_lingering_seconds(w);
	ev_timer_set(&w->drain->linger, MAX(left, 0.), 0.);
	ev_timer_start(w->loop, &w->drain->linger);
}

void
drain_init(struct worker *w)
{
	ev_timer_init(&w->drain->timer, on_timer, 0., 0.);
	ev_timer_init(&w->drain->linger, on_linger, 0., 0.);
	w->drain->timer.data = w->drain->linger.data = w;
}

void
drain_free(struct worker *w)
{
	ev_timer_stop(w->loop, &w->drain->timer);
	ev_timer_stop(w->loop, &w->drain->linger);
	free(w->drain->sids);
}

void
drain_start(struct worker *w, double seconds)
{
	if (w->draining)
		return;
	w->draining = true;
	w->drain->retiring = false;
	log_info(
	    "drain: closing %u connections over %.1f s", w->nconns, seconds);
	listener_stop(w);
	begin(w, seconds);
}

void
drain_stop(struct worker *w, double seconds, bool spread)
{
	if (w->draining)
		return;
	w->draining = true;
	w->drain->retiring = false;
	w->drain->stopping = w->drain->together = true;
	w->drain->few = !spread && w->nconns <= FEW;
	log_info(
	    "drain: closing %u connections over %.1f s", w->nconns, seconds);
	begin(w, seconds);
}

/*
 * These are closed with 4100, because none has been greeted (client_close()).
 */
void
drain_end(struct worker *w)
{
	struct drain *d = w->drain;

	if (!d->stopping || d->last)
		return;
	d->last = true;
	w->defer_since = 0;
	listener_take_all(w);
	listener_stop(w);
	d->stopping = false;
	make_list(w, 0, false);
	send_listed(w, LONG_MAX);
	d->end = worker_now();
	d->grace = LAST_SECONDS;
}

void
drain_retire(struct worker *w, double seconds)
{
	if (w->drain->on)
		return;
	w->drain->retiring = true;
	log_info(
	    "retire: closing %u connections over %.1f s", w->nconns, seconds);
	begin(w, MAX(seconds, RETIRE_SECONDS));
}

void
drain_on_missed(struct worker *w)
{
	make_list(w, 0, true);
	if (w->drain->n == 0)
		return;
	log_warnx("events may be missing: closing %zu connections so that they "
		  "reconnect",
	    w->drain->n);
	send_listed(w, LONG_MAX);
}

void
drain_leave(struct worker *w)
{
	double seconds = (double)w->conf->drain_time;

	if (w->drain->on)
		return; /* they are told in any case */
	make_list(w, 0, true);
	log_info("the host leaves its cluster: closing %zu connections over "
		 "%.1f s",
	    w->drain->n, seconds);
	tell(w, seconds);
}

void
drain_hurry(struct worker *w, double seconds)
{
	drain_start(w, seconds);
	w->drain->together = true;
	if (w->drain->stopping) { /* no message will say when it ends */
		w->drain->stopping = false;
		w->defer_since = 0;
		listener_stop(w);
	}
	w->drain->end = MIN(w->drain->end, worker_now() + seconds);
	w->drain->grace = HURRY_GRACE;
}

/*
 * Have all accepted messages been handed over?  A living broker reads what its
 * socket has taken even when this process is gone.
 */
static bool
is_handed_over(struct worker *w)
{
	struct drain *d = w->drain;
	double now = worker_now();
	unsigned lost;

	if (d->alone_at == 0)
		d->alone_at = now;
	if (unacked_is_empty(w))
		return true;
	if (!d->together && now < d->alone_at + BROKER_SECONDS)
		return false;
	lost = unacked_events(w);
	if (lost > 0 && (!d->together || !link_is_up(w)))
		log_warnx("drain: %u accepted events are lost: no broker has "
			  "taken them in %.0f s",
		    lost, now - d->alone_at);
	return true;
}

bool
drain_is_over(struct worker *w)
{
	const struct drain *d = w->drain;

	if (!d->on || w->nconns > 0 || d->stopping)
		return false;
	if (d->retiring && worker_now() <= d->began + RETIRE_SECONDS)
		return false;
	return is_handed_over(w);
}
