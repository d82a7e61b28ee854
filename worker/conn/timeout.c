/* SPDX-License-Identifier: MIT */
/*
 * timeout.c: one list of connections per duration, oldest first, and one
 * timer for its head.  Owns the lists; a connection is in at most one.  The
 * timer is only moved when the head fires, so that touching a connection is
 * an unlink and an append and no call into the event loop.
 */

#include "worker/conn/timeout.h"

#include "shared/base/xmalloc.h"
#include "worker/conn/conn.h"
#include "worker/core/core.h"

#define TURN_TIMEOUTS 1024 /* fired in one turn, at most */

static void
on_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct timeout_list *l =
	    container_of(timer, struct timeout_list, timer);
	double now = worker_now();
	unsigned budget = TURN_TIMEOUTS;
	struct conn *c;

	while (!list_is_empty(&l->conns) && budget-- > 0) {
		c = CONN_OF(l->conns.next, timeout);
		if (c->due > now)
			break;
		timeout_clear(c);
		c->ops->on_timeout(c);
	}
	if (list_is_empty(&l->conns))
		return;
	c = CONN_OF(l->conns.next, timeout);
	ev_timer_set(timer, c->due > now ? c->due - now : 0., 0.);
	ev_timer_start(loop, timer);
}

static struct timeout_list *
list_for(struct worker *w, uint32_t seconds)
{
	struct timeouts *t = w->timeouts;
	struct timeout_list *l;

	for (size_t i = 0; i < t->n; i++)
		if (t->v[i]->seconds == seconds)
			return t->v[i];
	l = xcalloc(1, sizeof(*l));
	l->seconds = seconds;
	l->w = w;
	list_init(&l->conns);
	ev_timer_init(&l->timer, on_timer, 0., 0.);
	t->v = xreallocarray(t->v, t->n + 1, sizeof(struct timeout_list *));
	t->v[t->n++] = l;
	return l;
}

static void
append(struct timeout_list *l, struct conn *c)
{
	struct ev_loop *loop = l->w->loop;

	c->due = worker_now() + l->seconds;
	list_append(&l->conns, &c->timeout);
	if (!ev_is_active(&l->timer)) {
		ev_timer_set(&l->timer, l->seconds, 0.);
		ev_timer_start(loop, &l->timer);
	}
}

void
timeout_set(struct worker *w, struct conn *c, uint32_t seconds)
{
	timeout_clear(c);
	if (seconds == 0 || c->closed)
		return;
	c->timeouts = list_for(w, seconds);
	append(c->timeouts, c);
}

void
timeout_touch(struct worker *w, struct conn *c)
{
	if (c->timeouts == NULL)
		return;
	list_remove(&c->timeout);
	append(c->timeouts, c);
}

void
timeout_clear(struct conn *c)
{
	list_remove(&c->timeout);
	c->timeouts = NULL;
}

void
timeouts_free(struct worker *w)
{
	for (size_t i = 0; i < w->timeouts->n; i++) {
		ev_timer_stop(w->loop, &w->timeouts->v[i]->timer);
		free(w->timeouts->v[i]);
	}
	free(w->timeouts->v);
}
