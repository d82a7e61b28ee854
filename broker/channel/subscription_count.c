/* SPDX-License-Identifier: MIT */
/*
 * subscription_count.c: when subscribers are told the subscription count.  Owns
 * struct subscription_count, which a channel has from its first change until
 * its last subscriber has left, so that the pause between two events is
 * observed.  Must never tell a channel with members: they get member_added.
 */

#include "broker/channel/subscription_count.h"

#include <ev.h>
#include <stdlib.h>

#include "broker/app/apps.h"
#include "broker/channel/channel_events.h"
#include "broker/channel/registry.h"
#include "broker/channel/route.h"
#include "broker/core/budget.h"
#include "broker/core/core.h"
#include "shared/base/base.h"
#include "shared/base/xmalloc.h"
#include "shared/pusher/frames.h"

#define TOGETHER 0.05    /* seconds: changes within are one event */
#define MANY 100         /* subscribers; above them: */
#define ALL_AT_ONCE 1000 /* channels in one turn */
#define PAUSE 5.         /* seconds between two events */

struct subscription_count {
	ev_timer timer;
	struct broker *br;
	struct channel *channel;
	double sent_at; /* broker_now() of the last event, or 0 */
};

#define COUNT_COST (sizeof(struct subscription_count) + BUDGET_BLOCK)

static bool
is_wanted(const struct broker *br, const struct channel *c)
{
	const struct broker_app *a = apps_find(br, c->app->num);

	return a != NULL && a->app.subscription_count && c->total > 0;
}

static void
forget(struct channel *c)
{
	if (c->count_due == NULL)
		return;
	ev_timer_stop(c->count_due->br->loop, &c->count_due->timer);
	budget_sub(c->count_due->br->budget, c->app->num, COUNT_COST);
	free(c->count_due);
	c->count_due = NULL;
}

/* Seconds until a large channel may be told again. */
static double
pause_left(const struct subscription_count *t, double now)
{
	if (t->channel->total <= MANY || t->sent_at == 0)
		return 0;
	return MAX(t->sent_at + PAUSE - now, 0.);
}

static void
on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct subscription_count *t =
	    container_of(w, struct subscription_count, timer);
	struct broker *br = t->br;
	struct channel *c = t->channel;
	double now = broker_now(), wait;
	struct buf **b;

	c = registry_drop_dead(br->registry, c);
	if (c == NULL || c->count_due == NULL || ev_is_active(w))
		return; /* no subscribers, or the new count comes soon */
	if (!is_wanted(br, c)) {
		forget(c);
		registry_release(br->registry, c);
		return;
	}
	wait = pause_left(t, now);
	if (wait > 0) { /* the channel has become large meanwhile */
		ev_timer_set(w, wait, 0.);
		ev_timer_start(br->loop, w);
		return;
	}
	t->sent_at = now;
	b = broker_scratch(br);
	frame_subscription_count(b, registry_name(br->registry, c), c->total);
	route_frame(br, c, buf_str(*b));
	br->events->counted(br, c);
}

void
subscription_count_changed(struct broker *br, struct channel *c)
{
	double wait;
	struct subscription_count *t = c->count_due;

	if (c->hidden || c->presence != NULL)
		return;
	if (!is_wanted(br, c)) {
		forget(c);
		return;
	}
	if (t == NULL) {
		t = c->count_due = xcalloc(1, sizeof(*t));
		t->br = br;
		t->channel = c;
		budget_add(br->budget, c->app->num, COUNT_COST);
		ev_init(&t->timer, on_timer);
	}
	if (ev_is_active(&t->timer) &&
	    (c->total > MANY ||
		ev_timer_remaining(br->loop, &t->timer) <= 2 * TOGETHER))
		return;
	ev_timer_stop(br->loop, &t->timer); /* no longer large: sooner */
	wait = MAX(pause_left(t, broker_now()), TOGETHER);
	ev_timer_set(&t->timer, wait, 0.);
	ev_timer_start(br->loop, &t->timer);
}

static void
change(void *arg, struct hash_node *n)
{
	subscription_count_changed(arg, container_of(n, struct channel, node));
}

void
subscription_count_all(struct broker *br)
{
	br->subscription_counts->due = true;
	br->subscription_counts->at = (struct hash_cursor){ 0 };
}

bool
subscription_count_go_on(struct broker *br)
{
	if (br->subscription_counts->due)
		br->subscription_counts->due =
		    hash_walk(&br->registry->channels,
			&br->subscription_counts->at, ALL_AT_ONCE, change, br);
	return br->subscription_counts->due;
}

void
subscription_count_clear(struct broker *br)
{
	struct hash *channels = &br->registry->channels;
	struct hash_node *n;

	HASH_FOREACH(n, channels)
		forget(container_of(n, struct channel, node));
}
