/* SPDX-License-Identifier: MIT */
/*
 * drain.c: the end of a worker: its clients are told to connect again, a
 * portion at a time, so that those who take them over are not overrun.  Owns
 * the list of whom to tell, made when it begins and again when it has come to
 * its end, for those who came meanwhile.
 *
 * The process leaves when nobody is left, or some seconds after all have been
 * told, whether they have answered or not.
 */

#include "worker/drain.h"

#include <math.h>
#include <stdlib.h>

#include "shared/base.h"
#include "shared/hash.h"
#include "shared/log.h"
#include "shared/xmalloc.h"
#include "worker/client.h"
#include "worker/conn.h"
#include "worker/worker.h"
#include "worker/ws.h"

#define TICK 0.05          /* seconds between two portions */
#define MIN_RATE 100.0     /* closes per second, at least */
#define GRACE 3.0          /* seconds for peers to answer the close */
#define HURRY_GRACE 1.0    /* likewise: somebody waits for us */
#define RETIRE_SECONDS 1.5 /* for connections that were on their way here */

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
	return c->closed || c->finishing || c->close_sent;
}

/* Everybody who has not been told yet. */
static void
make_list(struct worker *w)
{
	struct drain *d = &w->drain;
	struct candidate *v = xcalloc(w->nconns, sizeof(*v));
	struct hash_node *n;
	size_t count = 0, i;

	for (n = hash_first(&w->conns); n != NULL && count < w->nconns;
	     n = hash_next(&w->conns, n)) {
		const struct conn *c = CONN_OF(n, node);

		if (is_told(c))
			continue;
		v[count++] = (struct candidate){ conn_sid(c),
			c->ops == &ws_ops && !list_is_empty(&c->subs),
			c->timeouts == NULL ? 0
					    : c->due - c->timeouts->seconds };
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
		client_close(c, 4200, S("the server is restarting"));
	else if (!c->paused)
		conn_finish(c);
}

static void
on_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct worker *w = container_of(timer, struct worker, drain.timer);
	struct drain *d = &w->drain;
	double left = d->end - worker_now(), rate;
	struct conn *c;
	long portion;

	UNUSED(revents);
	if (left < -d->grace) {
		log_info("drain: %u connections did not leave", w->nconns);
		ev_break(loop, EVBREAK_ALL);
		return;
	}
	/* Where all slots share a socket, others accept from it. */
	if (d->retiring && worker_now() > d->began + RETIRE_SECONDS)
		listener_stop(w);
	if (d->next == d->n)
		make_list(w);
	rate = MAX(MIN_RATE, (double)(d->n - d->next) / MAX(left, TICK));
	portion = (long)ceil(rate * TICK);
	while (d->next < d->n && portion > 0) {
		c = conn_find(w, d->sids[d->next++]);
		if (c == NULL || is_told(c))
			continue;
		send_away(c);
		portion--;
	}
}

static void
begin(struct worker *w, double seconds)
{
	struct drain *d = &w->drain;

	d->began = worker_now();
	d->end = d->began + seconds;
	if (d->on)
		return;
	d->on = true;
	d->grace = GRACE;
	ev_timer_set(&d->timer, 0., TICK);
	ev_timer_start(w->loop, &d->timer);
}

void
drain_init(struct worker *w)
{
	ev_timer_init(&w->drain.timer, on_timer, 0., 0.);
}

void
drain_free(struct worker *w)
{
	ev_timer_stop(w->loop, &w->drain.timer);
	free(w->drain.sids);
}

void
drain_start(struct worker *w, double seconds)
{
	if (w->draining)
		return;
	w->draining = true;
	w->drain.retiring = false;
	log_info("drain: %u connections over %.1f s", w->nconns, seconds);
	listener_stop(w);
	begin(w, seconds);
}

void
drain_retire(struct worker *w, double seconds)
{
	if (w->drain.on)
		return;
	w->drain.retiring = true;
	log_info("retire: %u connections over %.1f s", w->nconns, seconds);
	begin(w, MAX(seconds, RETIRE_SECONDS));
}

void
drain_hurry(struct worker *w, double seconds)
{
	drain_start(w, seconds);
	w->drain.end = MIN(w->drain.end, worker_now() + seconds);
	w->drain.grace = HURRY_GRACE;
}

bool
drain_is_over(const struct worker *w)
{
	const struct drain *d = &w->drain;

	if (!d->on || w->nconns > 0)
		return false;
	return !d->retiring || worker_now() > d->began + RETIRE_SECONDS;
}
