/* SPDX-License-Identifier: MIT */
/*
 * presence_sync.c: keeps the workers' rosters equal to the members of a
 * channel.  A worker drops a change that its roster has already, so that a
 * repeated message does no harm; a missing one does.
 *
 * A broker's suspects are lost when it dies, and no worker replays a member
 * whose worker died with the broker.  But clients have seen such a member join:
 * their workers' rosters name it, and it becomes a suspect of the new broker.
 * A worker that replays too late is corrected instead: the other workers have
 * the present members.  Must never send a worker a channel for which it has no
 * roster.
 */

#include "broker/channel/presence_sync.h"

#include "broker/channel/channel_events.h"
#include "broker/channel/presence.h"
#include "broker/channel/registry.h"
#include "broker/channel/route.h"
#include "broker/core/core.h"
#include "broker/link/peer.h"
#include "shared/json/json_write.h"

#define ID_MAX 4096          /* bytes of a user id; workers allow less */
#define INFO_MAX (16u << 20) /* bytes of a user_info, escaped twice */

static uint64_t
bit_of(const struct peer *p)
{
	return UINT64_C(1) << p->slot;
}

struct giving {
	struct peer *p;
	struct msg_member m;
};

static void
give(void *arg, const struct member *mb)
{
	struct giving *g = arg;

	g->m.stamp = mb->stamp;
	g->m.user_id = member_id(mb);
	g->m.user_info = member_info(mb);
	ipc_send_member(&g->p->ipc, &g->m);
}

/* Sends every member to one worker. */
static void
give_all(struct peer *p, struct channel *c, enum member_change change)
{
	struct giving g = { .p = p,
		.m = { .app = c->app->num,
		    .change = change,
		    .channel = registry_name(p->br->registry, c) } };

	presence_each(c->presence, give, &g);
}

void
presence_sync_give(struct peer *p, struct channel *c)
{
	struct msg_roster r = { .app = c->app->num,
		.channel = registry_name(p->br->registry, c) };

	if (c->presence->rosters & bit_of(p))
		return;
	c->presence->rosters |= bit_of(p);
	ipc_send_roster(&p->ipc, &r);
	give_all(p, c, MEMBER_IS);
}

void
presence_sync_tell_added(
    struct peer *p, struct channel *c, const struct msg_sub *m, uint64_t stamp)
{
	uint64_t slots = c->slots & c->presence->rosters;
	struct msg_member t = { .except = m->sid,
		.change = MEMBER_ADDED,
		.stamp = stamp,
		.user_id = m->user_id };
	struct buf *info = NULL;

	if (c->count[p->slot] == 1) /* the new member is alone there */
		slots &= ~bit_of(p);
	if (slots == 0)
		return;
	json_nest(&info, m->user_info.n == 0 ? S("null") : m->user_info);
	t.user_info = buf_str(info);
	route_member(p->br, c, slots, &t);
	buf_unref(info);
}

void
presence_sync_tell_removed(
    struct broker *br, struct channel *c, struct str user_id)
{
	struct msg_member t = { .change = MEMBER_REMOVED, .user_id = user_id };

	route_member(br, c, c->presence->rosters, &t);
}

void
presence_sync_tell_suspect(struct broker *br, const struct member *m)
{
	struct msg_member t = { .change = MEMBER_ADDED,
		.stamp = m->stamp,
		.user_id = member_id(m),
		.user_info = member_info(m) };

	route_member(br, m->presence->channel, m->presence->rosters, &t);
}

/* ---- replays ---- */

static struct channel *
channel_of(struct peer *p, uint32_t app, struct str name)
{
	struct channel *c = registry_find(p->br->registry, app, name);

	return c == NULL || c->presence == NULL || c->count[p->slot] == 0 ? NULL
									  : c;
}

int
presence_sync_on_roster(struct peer *p, const struct msg_roster *m)
{
	struct channel *c = channel_of(p, m->app, m->channel);

	if (c == NULL)
		return -1;
	c->presence->rosters |= bit_of(p);
	if (p->rejoined)
		give_all(p, c, MEMBER_ADDED);
	return 0;
}

int
presence_sync_on_member(struct peer *p, const struct msg_member *m)
{
	struct broker *br = p->br;
	struct channel *c = channel_of(p, m->app, m->channel);
	struct msg_member gone = { .change = MEMBER_REMOVED,
		.user_id = m->user_id };

	if (c == NULL || !(c->presence->rosters & bit_of(p)) ||
	    m->change != MEMBER_IS || m->user_id.n == 0 ||
	    m->user_id.n > ID_MAX || m->user_info.n > INFO_MAX)
		return -1;
	if (p->rejoined) {
		if (!presence_has(c->presence, m->user_id))
			route_member(br, c, bit_of(p), &gone);
	} else if (presence_recall(c->presence, m->user_id, m->user_info,
		       m->stamp, &br->suspects->recalled)) {
		br->events->entered(br, c, m->user_id);
	}
	return 0;
}
