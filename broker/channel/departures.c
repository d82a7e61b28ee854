/* SPDX-License-Identifier: MIT */
/*
 * departures.c: members leave as fast as the workers tell their channels of
 * it.  A departure is a delivery to each subscriber, so a thousand clients that
 * leave a channel of two thousand are more than a million deliveries, and the
 * events of all apps come behind them.  Owns the members that wait, app by app,
 * and the count of what is told and not delivered: a ping behind it comes back
 * when a worker has handled all of it.
 *
 * In a cluster, where all hosts have to agree, only members without a living
 * connection for a while (suspects.c) come here.  Must never make a member
 * wait whose app has told little.
 */

#include "broker/channel/departures.h"

#include "broker/channel/channel_events.h"
#include "broker/channel/presence.h"
#include "broker/channel/presence_sync.h"
#include "broker/channel/registry.h"
#include "broker/core/core.h"
#include "broker/link/peer.h"
#include "broker/link/resync.h"
#include "shared/base/buf.h"
#include "shared/base/shares.h"

#define DELIVERIES_MAX (256u << 10) /* of all apps; one alone has half */
#define PING_AT (16u << 10)         /* below it nothing waits */
#define MEMBER_COSTS 64             /* deliveries; without subscribers, too */

static uint64_t
cost_of(const struct channel *c)
{
	return c->total + MEMBER_COSTS;
}

static struct registry_app *
app_of(struct list *e)
{
	return LIST_ITEM(e, struct registry_app, in_departures);
}

static void
note(struct broker *br, struct registry_app *a)
{
	if (list_is_empty(&a->in_departures))
		list_append(&br->departures->apps, &a->in_departures);
}

void
departures_count(struct broker *br, const struct channel *c)
{
	note(br, c->app);
	c->app->told[1] += cost_of(c);
	br->departures->told[1] += cost_of(c);
}

/* An app that has told nothing may always tell. */
static bool
is_over(const struct broker *br, const struct channel *c)
{
	const uint64_t *all = br->departures->told;
	uint64_t own = c->app->told[0] + c->app->told[1];

	return own > 0 &&
	    !shares_have_room(
		own + cost_of(c), all[0] + all[1], DELIVERIES_MAX);
}

bool
departures_must_wait(const struct broker *br, const struct channel *c)
{
	return br->cluster == NULL &&
	    (!list_is_empty(&c->app->departing) || is_over(br, c));
}

void
departures_add(struct broker *br, struct member *m)
{
	struct registry_app *a = m->presence->channel->app;

	list_append(&a->departing, &m->suspect);
	note(br, a);
	br->departures->any = true;
}

static void
leave(struct broker *br, struct member *m)
{
	struct channel *c = m->presence->channel;
	struct buf *id = buf_from(member_id(m));

	departures_count(br, c);
	presence_sync_tell_removed(br, c, buf_str(id));
	presence_expire(m);
	br->events->left(br, c, buf_str(id));
	buf_unref(id);
	presence_release(br->registry, c);
}

/* With its last member the app itself may go. */
static void
leave_some(struct broker *br, struct registry_app *a)
{
	bool more = !list_is_empty(&a->departing);

	while (more) {
		struct member *m =
		    LIST_ITEM(a->departing.next, struct member, suspect);

		if (is_over(br, m->presence->channel))
			return;
		more = m->suspect.next != &a->departing;
		leave(br, m);
	}
}

/* What was told before the ping is delivered. */
static void
forget(struct departures *d)
{
	struct list *e, *tmp;

	d->told[0] = 0;
	LIST_FOREACH_SAFE(e, tmp, &d->apps) {
		struct registry_app *a = app_of(e);

		a->told[0] = 0;
		if (a->told[1] == 0 && list_is_empty(&a->departing))
			list_remove(e);
	}
}

static void
ping(struct broker *br)
{
	struct departures *d = br->departures;
	struct list *e;

	LIST_FOREACH(e, &d->apps) {
		app_of(e)->told[0] = app_of(e)->told[1];
		app_of(e)->told[1] = 0;
	}
	d->told[0] = d->told[1];
	d->told[1] = 0;
	d->ping = peer_ping(br, &d->slots);
	if (d->slots == 0)
		forget(d);
}

bool
departures_go_on(struct broker *br)
{
	struct departures *d = br->departures;
	struct list *e, *tmp;

	if (resync_is_on(br))
		return false;
	if (d->any)
		LIST_FOREACH_SAFE(e, tmp, &d->apps)
			leave_some(br, app_of(e));
	if (d->slots == 0 && d->told[1] >= PING_AT)
		ping(br);
	if (d->any) {
		d->any = false;
		LIST_FOREACH(e, &d->apps)
			d->any |= !list_is_empty(&app_of(e)->departing);
	}
	return d->any && d->slots == 0;
}

void
departures_on_pong(struct broker *br, unsigned slot, uint64_t id)
{
	struct departures *d = br->departures;

	if (id < d->ping || (d->slots >> slot & 1) == 0)
		return;
	d->slots &= ~(UINT64_C(1) << slot);
	if (d->slots == 0)
		forget(d);
}

void
departures_init(struct broker *br)
{
	list_init(&br->departures->apps);
}
