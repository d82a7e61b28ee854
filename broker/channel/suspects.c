/* SPDX-License-Identifier: MIT */
/*
 * suspects.c: members without a connection.  Owns a list for each 32nd of a
 * second, or of a longer grace, in which some of them leave, so that no member
 * is searched for, though they do not come in the order in which they leave: a
 * user whose connection broke may leave with another one later, and each app
 * has its own grace.
 */

#include "broker/channel/suspects.h"

#include <math.h>
#include <stdlib.h>

#include "broker/app/apps.h"
#include "broker/channel/departures.h"
#include "broker/channel/presence.h"
#include "broker/channel/presence_sync.h"
#include "broker/channel/registry.h"
#include "broker/core/core.h"
#include "broker/link/resync.h"
#include "shared/base/base.h"
#include "shared/base/buf.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"

#define AT_ONCE 500 /* that leave in one turn */
#define TICKS 32    /* in a second */
#define PARTS 64    /* at most, of a grace; at least half as many */

/* The members that leave together. */
struct suspects_tick {
	struct list link; /* in suspects->ticks */
	uint64_t tick;    /* the end of this part of broker_now() */
	struct list members;
};

static struct suspects_tick *
tick_of(struct list *e)
{
	return LIST_ITEM(e, struct suspects_tick, link);
}

/* The tick whose members leave next, or NULL. */
static struct suspects_tick *
first(struct suspects *s)
{
	struct suspects_tick *t;

	while (!list_is_empty(&s->ticks)) {
		t = tick_of(s->ticks.next);
		if (!list_is_empty(&t->members))
			return t;
		list_remove(&t->link); /* they are back */
		free(t);
	}
	return NULL;
}

static void
run(struct broker *br)
{
	ev_timer *w = &br->suspects->timer;
	const struct suspects_tick *t = first(br->suspects);
	double left;

	if (t == NULL || resync_is_on(br))
		return; /* suspects_on_live() starts again */
	left = MAX((double)t->tick / TICKS - broker_now(), 0.);
	if (ev_is_active(w) && ev_timer_remaining(br->loop, w) <= left)
		return;
	ev_timer_stop(br->loop, w);
	ev_timer_set(w, left, 0.);
	ev_timer_start(br->loop, w);
}

static void
on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct broker *br = w->data;
	double now = broker_now();
	struct suspects_tick *t;
	struct member *m;

	if (resync_is_on(br))
		return;
	for (int left = AT_ONCE; left > 0; left--) {
		t = first(br->suspects);
		if (t == NULL || (double)t->tick / TICKS > now)
			break;
		m = LIST_ITEM(t->members.next, struct member, suspect);
		list_remove(&m->suspect);
		departures_add(br, m);
	}
	run(br);
}

/* presence_grace of its app. */
static uint64_t
app_grace(const struct broker *br, const struct member *m)
{
	const struct broker_app *a =
	    apps_find(br, m->presence->channel->app->num);

	return a == NULL ? 0 : a->app.presence_grace;
}

/*
 * The tick at this time, or a little later: the later it is, the more members
 * share it, so that there are few, whatever grace the apps have.
 */
static uint64_t
tick_at(double due)
{
	double now = broker_now();
	uint64_t tick, left, part = 1;

	if (due <= now)
		return (uint64_t)floor(due * TICKS);
	tick = (uint64_t)ceil(due * TICKS);
	left = tick - (uint64_t)(now * TICKS);
	while (left / part > PARTS)
		part *= 2;
	return (tick + part - 1) / part * part;
}

/*
 * It leaves now, or at m->due or soon after it.  Nobody waits for members of a
 * deleted app.
 */
static void
insert(struct broker *br, struct member *m)
{
	struct suspects *s = br->suspects;
	struct suspects_tick *t;
	struct list *e;
	uint64_t tick;

	if (apps_is_deleted(br, m->presence->channel->app->num))
		m->due = 0;
	tick = tick_at(m->due);

	for (e = s->ticks.prev; e != &s->ticks; e = e->prev)
		if (tick_of(e)->tick <= tick)
			break;
	if (e == &s->ticks || tick_of(e)->tick != tick) {
		t = xcalloc(1, sizeof(*t));
		t->tick = tick;
		list_init(&t->members);
		list_init(&t->link);
		list_append(e->next, &t->link); /* before that one */
		e = &t->link;
	}
	list_append(&tick_of(e)->members, &m->suspect);
}

void
suspects_add(struct broker *br, struct member *m)
{
	insert(br, m);
	run(br);
}

void
suspects_forget_app(struct broker *br, uint32_t app)
{
	struct list *e, *f, *tmp;

	LIST_FOREACH(e, &br->suspects->ticks) {
		if (tick_of(e)->tick == 0)
			continue; /* all of it leave now */
		LIST_FOREACH_SAFE(f, tmp, &tick_of(e)->members) {
			struct member *m = LIST_ITEM(f, struct member, suspect);

			if (m->presence->channel->app->num != app)
				continue;
			list_remove(f);
			insert(br, m);
		}
	}
	run(br);
}

/* Any of them may have a session: none leaves before both times are over. */
static void
add_dead(struct broker *br, struct member *m)
{
	uint64_t crash = br->conf->crash_grace,
		 seconds = MAX(crash, app_grace(br, m));

	m->due += (double)(seconds - crash);
	insert(br, m);
}

void
suspects_add_dead(struct broker *br, struct list *members)
{
	struct list *e, *tmp;

	LIST_FOREACH_SAFE(e, tmp, members) {
		list_remove(e);
		add_dead(br, LIST_ITEM(e, struct member, suspect));
	}
	run(br);
}

/*
 * A member that rosters name and that is not back died with the old broker, or
 * shortly before.
 */
void
suspects_on_live(struct broker *br)
{
	struct suspects *s = br->suspects;
	struct list *e;

	ev_timer_stop(br->loop, &s->timer);
	LIST_FOREACH(e, &s->ticks)
		list_splice(&s->unannounced, &tick_of(e)->members);
	list_splice(&s->unannounced, &s->recalled);
}

bool
suspects_go_on(struct broker *br)
{
	double due = broker_now() + (double)br->conf->crash_grace;
	struct suspects *s = br->suspects;

	for (unsigned n = AT_ONCE; n > 0 && !list_is_empty(&s->unannounced);
	     n--) {
		struct member *m =
		    LIST_ITEM(s->unannounced.next, struct member, suspect);

		list_remove(&m->suspect);
		m->due = due;
		add_dead(br, m);
		presence_sync_tell_suspect(br, m);
	}
	run(br);
	return !list_is_empty(&s->unannounced);
}

void
suspects_init(struct broker *br)
{
	struct suspects *s = br->suspects;

	list_init(&s->ticks);
	list_init(&s->recalled);
	list_init(&s->unannounced);
	ev_init(&s->timer, on_timer);
	s->timer.data = br;
}

void
suspects_clear(struct broker *br)
{
	struct list *ticks = &br->suspects->ticks;

	while (!list_is_empty(ticks)) {
		struct suspects_tick *t = tick_of(ticks->next);

		list_remove(&t->link);
		free(t);
	}
}
