/* SPDX-License-Identifier: MIT */
/*
 * dead_slot.c: removes a dead worker's subscriptions from all channels, or
 * moves them to the worker that has taken its clients over.  Owns
 * the walk over the channels.  A worker may leave millions of channels, so each
 * turn handles a portion of them.  The result is the same as if all were
 * handled at once: the registry calls drop_dead() before it returns one, and
 * nothing is sent to a dying slot.  The next worker of the slot waits until all
 * channels are done.
 */

#include "broker/channel/dead_slot.h"

#include "broker/channel/channel_events.h"
#include "broker/channel/presence.h"
#include "broker/channel/registry.h"
#include "broker/channel/subscription_count.h"
#include "broker/channel/suspects.h"
#include "broker/core/core.h"
#include "broker/link/peer.h"
#include "broker/log/replay.h"
#include "shared/base/base.h"
#include "shared/conf/conf.h"

#define CHANNELS_AT_ONCE 2000

/* The receiver has these clients. */
static void
move(struct registry *r, struct channel *c)
{
	unsigned slot = (unsigned)__builtin_ctzll(r->moved);

	if (c->presence != NULL)
		presence_move(c->presence, slot, r->receiver);
	registry_move(r, c, slot);
}

/*
 * Moves the counts of a moved slot, and takes off those of dying ones.  NULL:
 * the channel was freed.
 */
static struct channel *
drop_dead(void *owner, struct channel *c)
{
	struct broker *br = owner;
	uint64_t mask = c->slots & br->registry->dying;
	struct list alone;

	if (c->slots & br->registry->moved)
		move(br->registry, c);
	if (mask == 0)
		return c;
	list_init(&alone);
	for (; mask != 0; mask &= mask - 1) {
		unsigned slot = (unsigned)__builtin_ctzll(mask);

		if (c->presence != NULL)
			presence_drop(c->presence, slot,
			    br->registry->dead_due[slot], &alone);
		registry_drop(br->registry, c, slot);
	}
	if (c->presence != NULL)
		c->presence->rosters &= c->slots;
	br->events->left(br, c, S(""));
	subscription_count_changed(br, c);
	suspects_add_dead(br, &alone);
	return presence_release(br->registry, c) ? c : NULL;
}

void
dead_slot_init(struct broker *br)
{
	br->registry->owner = br;
	br->registry->drop_dead = drop_dead;
}

void
dead_slot_begin(struct broker *br, unsigned slot)
{
	double now = broker_now();

	resumes_drop(&br->replay->sessions, slot, now);
	registry_lose(br->registry, slot, now + (double)br->conf->crash_grace);
	br->dying |= br->registry->dying;
}

void
dead_slot_move(struct broker *br, unsigned slot)
{
	resumes_move(&br->replay->sessions, slot, br->registry->receiver);
	registry_take_over(br->registry);
}

static void
visit(void *arg, struct hash_node *n)
{
	const struct broker *br = arg;

	registry_drop_dead(br->registry, container_of(n, struct channel, node));
}

bool
dead_slot_go_on(struct broker *br)
{
	struct registry *r = br->registry;

	if ((r->dying | r->moved) == 0)
		return false;
	if (hash_walk(&r->channels, &r->dead_at, CHANNELS_AT_ONCE, visit, br))
		return true;
	r->moving &= ~r->moved;
	r->moved = r->dying = 0;
	br->dying = r->moving;
	peer_hello_again(br);
	return false;
}
