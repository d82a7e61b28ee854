/* SPDX-License-Identifier: MIT */
/*
 * timeout.c: one list of timeouts per duration, oldest first, and one timer
 * for its head.  Owns the lists; a timeout is in at most one.  The timer moves
 * only when the head fires, so that touching a timeout is an unlink and an
 * append and no call into the event loop.
 */

#include "worker/conn/timeout.h"

#include <stdlib.h>

#include "shared/base/base.h"
#include "shared/base/xmalloc.h"
#include "worker/core/core.h"

#define TURN_TIMEOUTS 1024 /* fired in one turn, at most */

static struct timeout *
first(const struct timeout_list *l)
{
	return container_of(l->members.next, struct timeout, link);
}

static void
on_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct timeout_list *l =
	    container_of(timer, struct timeout_list, timer);
	double now = worker_now(), due;
	unsigned budget = TURN_TIMEOUTS;

	while (!list_is_empty(&l->members) && budget-- > 0) {
		struct timeout *t = first(l);

		if (t->due > now)
			break;
		timeout_clear(t);
		l->w->timeouts->fire(t);
	}
	if (list_is_empty(&l->members))
		return;
	due = first(l)->due;
	ev_timer_set(timer, due > now ? due - now : 0., 0.);
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
	list_init(&l->members);
	l->behind = &l->members;
	ev_timer_init(&l->timer, on_timer, 0., 0.);
	t->v = xreallocarray(t->v, t->n + 1, sizeof(struct timeout_list *));
	t->v[t->n++] = l;
	return l;
}

static void
start_timer(struct timeout_list *l)
{
	ev_timer_set(&l->timer, MAX(first(l)->due - worker_now(), 0.), 0.);
	ev_timer_start(l->w->loop, &l->timer);
}

/* Puts it before e. */
static void
insert(struct timeout *t, struct list *e, double due)
{
	t->due = due;
	list_append(e, &t->link);
	if (!ev_is_active(&t->list->timer))
		start_timer(t->list);
}

/* From now on. */
static void
start(struct timeout *t)
{
	insert(t, &t->list->members, worker_now() + t->list->seconds);
}

void
timeout_set(struct worker *w, struct timeout *t, uint32_t seconds)
{
	timeout_clear(t);
	if (seconds == 0)
		return;
	t->list = list_for(w, seconds);
	start(t);
}

void
timeouts_restore(struct worker *w)
{
	for (size_t i = 0; i < w->timeouts->n; i++)
		w->timeouts->v[i]->behind = &w->timeouts->v[i]->members;
}

void
timeout_restore(
    struct worker *w, struct timeout *t, uint32_t seconds, double due)
{
	struct timeout_list *l = t->list = list_for(w, seconds);
	struct list *e = l->behind->next;

	while (e != &l->members &&
	    container_of(e, struct timeout, link)->due <= due)
		e = e->next;
	l->behind = &t->link;
	if (e == l->members.next)
		ev_timer_stop(w->loop, &l->timer); /* the first one is this */
	insert(t, e, due);
}

void
timeout_touch(struct timeout *t)
{
	if (t->list == NULL)
		return;
	list_remove(&t->link);
	start(t);
}

void
timeout_clear(struct timeout *t)
{
	list_remove(&t->link);
	t->list = NULL;
}

struct timeout *
timeout_oldest(const struct worker *w, uint32_t seconds)
{
	const struct timeouts *t = w->timeouts;

	for (size_t i = 0; i < t->n; i++)
		if (t->v[i]->seconds == seconds &&
		    !list_is_empty(&t->v[i]->members))
			return first(t->v[i]);
	return NULL;
}

struct timeout *
timeout_next(const struct timeout *t)
{
	return t->link.next == &t->list->members
	    ? NULL
	    : container_of(t->link.next, struct timeout, link);
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
