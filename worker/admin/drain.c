/* SPDX-License-Identifier: MIT */
/*
 * drain.c: the end of a worker. Its clients are told to reconnect, a portion
 * at a time, so that the processes that take them over are not overloaded.
 * Owns the list of clients to tell. The list is made at the beginning, and
 * again at its end for clients that have connected meanwhile.
 *
 * Connections that have not answered are closed some seconds after all have
 * been told. The process exits when no client is left and a broker has taken
 * everything that was accepted. It does not wait for a broker for ever, and
 * not at all when the whole group stops.
 *
 * When the whole group stops, the next server is not there yet, and a client
 * whose connection the system refuses may wait for 15 seconds. A few clients
 * are all told at once, with 4100, and come back after a second. Many clients
 * are told over some time, with 4200, and come back at once: they get their
 * upgrade but no greeting. At the end all workers together close them with
 * 4100 (etc/doc/restart.md).
 */

#include "worker/admin/drain.h"

#include <math.h>
#include <stdlib.h>

#include "shared/base/base.h"
#include "shared/base/hash.h"
#include "shared/base/log.h"
#include "shared/base/xmalloc.h"
#include "shared/ipc/master_link.h"
#include "worker/client/client.h"
#include "worker/conn/conn.h"
#include "worker/conn/listener.h"
#include "worker/conn/timeout.h"
#include "worker/conn/ws.h"
#include "worker/core/core.h"
#include "worker/link/link.h"
#include "worker/link/unacked.h"

#define TICK 0.05          /* seconds between two portions */
#define MIN_RATE 300.0     /* closes per second, at least */
#define GRACE 3.0          /* seconds for peers to answer the close */
#define HURRY_GRACE 1.0    /* likewise: a process waits for this one */
#define STOP_GRACE 1.0     /* likewise, when the group leaves */
#define FEW 200            /* connections that are told at once */
#define FEW_GRACE 0.25     /* likewise: they come back in a second */
#define QUIET_SECONDS 0.3  /* in which those who were told come back */
#define LAST_SECONDS 0.2   /* for newcomers to take their 4100 */
#define MISSED_SECONDS 1.  /* in which clients that lack events are told */
#define RETIRE_SECONDS 1.5 /* for connections that were on their way here */
#define BROKER_SECONDS 60. /* for a broker to take what was accepted */

struct candidate {
	uint64_t sid;
	bool busy;    /* has subscriptions */
	double heard; /* worker_now() of its last word, about */
};

static int
compare(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	if (x->busy != y->busy)
		return x->busy ? 1 : -1;
	return x->heard < y->heard ? -1 : x->heard > y->heard;
}

static bool
is_told(const struct conn *c)
{
	return conn_is_ending(c) || c->parting;
}

/* Does it wait for drain_end()? */
static bool
is_held(const struct conn *c)
{
	return c->w->hold_since != 0 && !c->greeted &&
	    c->opened_at >= c->w->hold_since;
}

/* Lists all clients that have not been told yet. */
static void
make_list(struct worker *w)
{
	struct drain *d = w->drain;
	struct candidate *v = xcalloc(w->nconns, sizeof(*v));
	struct hash_node *n;
	size_t count = 0, i;

	for (n = hash_first(&w->conns); n != NULL && count < w->nconns;
	     n = hash_next(&w->conns, n)) {
		const struct conn *c = CONN_OF(n, node);

		if (is_told(c) || is_held(c))
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

/* Closes one connection in the way its protocol has for it. */
static void
send_away(struct conn *c)
{
	if (c->ops == &ws_ops)
		client_part(c, c->w->drain->few ? 4100 : 4200,
		    "the server is restarting");
	else if (!c->paused)
		conn_finish(c);
}

/* Only new clients are left, and clients that have been told. */
static bool
is_quiet(struct worker *w)
{
	const struct drain *d = w->drain;
	bool late = worker_now() > d->end + d->grace;
	struct hash_node *n;

	for (n = hash_first(&w->conns); n != NULL;
	     n = hash_next(&w->conns, n)) {
		const struct conn *c = container_of(n, struct conn, node);

		/* One that was refused for another reason is a newcomer, too.
		 */
		if (c->state != CONN_CLOSED && !late && c->opened_at < d->began)
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

	if (d->told || d->next < d->n || !is_quiet(w))
		return;
	if (d->quiet_at == 0)
		d->quiet_at = worker_now();
	if (worker_now() < d->quiet_at + wait)
		return;
	d->told = true;
	if (master_link_drained(w->master_link, w->nconns) == -1) {
		log_warn("drain: the master cannot be told");
		ev_break(w->loop, EVBREAK_ALL);
	}
}

static void
close_all(struct worker *w)
{
	struct hash_node *n, *next;

	for (n = hash_first(&w->conns); n != NULL; n = next) {
		next = hash_next(&w->conns, n);
		conn_close(CONN_OF(n, node));
	}
}

static void
on_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct worker *w = timer->data;
	struct drain *d = w->drain;
	double left = d->end - worker_now(), rate;
	struct conn *c;
	long portion;

	if (d->telling && !d->on && d->next == d->n) {
		d->telling = false;
		ev_timer_stop(loop, timer);
		return;
	}
	if (d->on && left < -d->grace && !d->stopping) {
		if (w->nconns > 0)
			log_info(
			    "drain: %u connections did not leave", w->nconns);
		close_all(w);
		return;
	}
	/* Where all slots share a socket, others accept from it. */
	if (d->retiring && worker_now() > d->began + RETIRE_SECONDS)
		listener_stop(w);
	if (d->on && d->next == d->n)
		make_list(w);
	rate = MAX(d->few ? FEW / TICK : MIN_RATE,
	    (double)(d->n - d->next) / MAX(left, TICK));
	portion = (long)ceil(rate * TICK);
	while (d->next < d->n && portion > 0) {
		c = conn_find(w, d->sids[d->next++]);
		if (c == NULL || is_told(c))
			continue;
		send_away(c);
		portion--;
	}
	if (d->stopping)
		check_quiet(w);
}

static void
begin(struct worker *w, double seconds)
{
	struct drain *d = w->drain;

	d->began = worker_now();
	w->hold_since = d->stopping ? d->began : 0;
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

void
drain_init(struct worker *w)
{
	ev_timer_init(&w->drain->timer, on_timer, 0., 0.);
	w->drain->timer.data = w;
}

void
drain_free(struct worker *w)
{
	ev_timer_stop(w->loop, &w->drain->timer);
	free(w->drain->sids);
}

void
drain_start(struct worker *w, double seconds)
{
	if (w->draining)
		return;
	w->draining = true;
	w->drain->retiring = false;
	log_info("drain: %u connections over %.1f s", w->nconns, seconds);
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
	log_info("drain: %u connections over %.1f s", w->nconns, seconds);
	begin(w, seconds);
}

/* Closed with 4100, since none of them has been greeted (client_close()). */
void
drain_end(struct worker *w)
{
	struct drain *d = w->drain;
	struct conn *c;

	if (!d->stopping || d->last)
		return;
	d->last = true;
	w->hold_since = 0;
	listener_take_all(w);
	listener_stop(w);
	d->stopping = false;
	make_list(w);
	while (d->next < d->n)
		if ((c = conn_find(w, d->sids[d->next++])) != NULL)
			send_away(c);
	d->end = worker_now();
	d->grace = LAST_SECONDS;
}

void
drain_retire(struct worker *w, double seconds)
{
	if (w->drain->on)
		return;
	w->drain->retiring = true;
	log_info("retire: %u connections over %.1f s", w->nconns, seconds);
	begin(w, MAX(seconds, RETIRE_SECONDS));
}

void
drain_tell(struct worker *w, double seconds)
{
	struct drain *d = w->drain;

	if (d->on || w->nconns == 0)
		return; /* they are told anyhow */
	log_warnx("events may be missing: %u connections are closed for a "
		  "reconnect",
	    w->nconns);
	make_list(w);
	d->end = worker_now() + seconds;
	d->telling = true;
	ev_timer_set(&d->timer, 0., TICK);
	ev_timer_start(w->loop, &d->timer);
}

int
drain_on_missed(struct worker *w)
{
	drain_tell(w, MISSED_SECONDS);
	return 0;
}

void
drain_hurry(struct worker *w, double seconds)
{
	drain_start(w, seconds);
	w->drain->together = true;
	if (w->drain->stopping) { /* no message will say when it ends */
		w->drain->stopping = false;
		w->hold_since = 0;
		listener_stop(w);
	}
	w->drain->end = MIN(w->drain->end, worker_now() + seconds);
	w->drain->grace = HURRY_GRACE;
}

/*
 * May it leave, as far as what it has accepted is concerned?  What a living
 * broker's socket has taken will be read also when this process is gone.
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
