/* SPDX-License-Identifier: MIT */
/*
 * suspects.c: members without a connection.  Owns one list for each length of
 * grace: in such a list members leave in the order in which they were added.
 */

#include "broker/channel/suspects.h"

#include <stdlib.h>

#include "broker/app/apps.h"
#include "broker/channel/channel_events.h"
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

struct grace {
	struct list link; /* in suspects->graces */
	uint64_t seconds;
	struct list members; /* struct member, by the time they leave */
};

static struct member *
first_of(const struct grace *g)
{
	return LIST_ITEM(g->members.next, struct member, suspect);
}

/* The member that leaves next, or NULL. */
static struct member *
first(const struct suspects *s)
{
	struct member *m = NULL;
	struct list *e;

	LIST_FOREACH(e, &s->graces) {
		const struct grace *g = LIST_ITEM(e, struct grace, link);

		if (!list_is_empty(&g->members) &&
		    (m == NULL || first_of(g)->due < m->due))
			m = first_of(g);
	}
	return m;
}

static void
expire(struct broker *br, struct member *m)
{
	struct channel *c = m->presence->channel;
	struct buf *id = buf_from(member_id(m));

	presence_sync_tell_removed(br, c, buf_str(id));
	presence_expire(m);
	br->events->left(br, c, buf_str(id));
	buf_unref(id);
	presence_release(br->registry, c);
}

static void
run(struct broker *br)
{
	ev_timer *w = &br->suspects->timer;
	const struct member *m = first(br->suspects);
	double left;

	if (m == NULL || resync_is_on(br))
		return; /* suspects_on_live() starts again */
	left = MAX(m->due - broker_now(), 0.);
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
	struct member *m;

	if (resync_is_on(br))
		return;
	for (int left = AT_ONCE; left > 0; left--) {
		m = first(br->suspects);
		if (m == NULL || m->due > now)
			break;
		expire(br, m);
	}
	run(br);
}

static struct grace *
grace_of(struct suspects *s, uint64_t seconds)
{
	struct list *e;
	struct grace *g;

	LIST_FOREACH(e, &s->graces) {
		g = LIST_ITEM(e, struct grace, link);
		if (g->seconds == seconds)
			return g;
	}
	g = xcalloc(1, sizeof(*g));
	g->seconds = seconds;
	list_init(&g->members);
	list_append(&s->graces, &g->link);
	return g;
}

/* presence_grace of its app. */
static uint64_t
app_grace(const struct broker *br, const struct member *m)
{
	const struct broker_app *a =
	    apps_find(br, m->presence->channel->app->num);

	return a == NULL ? 0 : a->app.presence_grace;
}

/* Nearly always at the end: only a clock that was stopped changes the order. */
static void
insert(struct broker *br, struct member *m, uint64_t seconds)
{
	struct list *at = &grace_of(br->suspects, seconds)->members, *e;

	for (e = at->prev; e != at; e = e->prev)
		if (LIST_ITEM(e, struct member, suspect)->due <= m->due)
			break;
	list_append(e->next, &m->suspect);
}

void
suspects_add(struct broker *br, struct member *m)
{
	insert(br, m, app_grace(br, m));
	run(br);
}

/* Any of them may have a session: none leaves before both times are over. */
static void
add_dead(struct broker *br, struct member *m)
{
	uint64_t crash = br->conf->crash_grace,
		 seconds = MAX(crash, app_grace(br, m));

	m->due += (double)(seconds - crash);
	insert(br, m, seconds);
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
	LIST_FOREACH(e, &s->graces)
		list_splice(&s->unannounced,
		    &LIST_ITEM(e, struct grace, link)->members);
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

	list_init(&s->graces);
	list_init(&s->recalled);
	list_init(&s->unannounced);
	ev_init(&s->timer, on_timer);
	s->timer.data = br;
}

void
suspects_clear(struct broker *br)
{
	struct list *graces = &br->suspects->graces;

	while (!list_is_empty(graces)) {
		struct grace *g = LIST_ITEM(graces->next, struct grace, link);

		list_remove(&g->link);
		free(g);
	}
}
