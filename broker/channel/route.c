/* SPDX-License-Identifier: MIT */
/*
 * route.c: the hot path.  One lookup, and for each worker with subscribers a
 * reference to the received bytes.  The frame inside is never looked at; a
 * cache channel stores a copy of it.  Must never copy an event that is passed
 * on, log, or allocate except to grow a queue.
 */

#include "broker/channel/route.h"

#include <stddef.h>
#include <string.h>

#include "broker/channel/cache.h"
#include "broker/channel/channel_events.h"
#include "broker/channel/registry.h"
#include "broker/core/core.h"
#include "broker/link/peer.h"
#include "broker/link/resync.h"
#include "broker/log/replay.h"
#include "shared/pusher/frames.h"

/* The event's number in the app's log is written into the received bytes. */
static void
number(struct broker *br, struct msg_event *m, const struct ipc_in *in)
{
	m->pos = replay_log(br->replay, m);
	memcpy(in->b->data + in->off + offsetof(struct msg_event_wire, pos),
	    &m->pos, sizeof(m->pos));
}

/* ---- taps ---- */

void
route_init(struct broker *br)
{
	list_init(&br->taps->all);
}

void
route_tap(struct broker *br, struct route_tap *t)
{
	list_init(&t->link);
	list_append(&br->taps->all, &t->link);
	br->ntaps++;
}

void
route_untap(struct broker *br, struct route_tap *t)
{
	list_remove(&t->link);
	br->ntaps--;
}

static void
tap_event(struct broker *br, const struct msg_event *m, enum route_kind kind)
{
	struct list *e, *tmp;

	LIST_FOREACH_SAFE(e, tmp, &br->taps->all) {
		struct route_tap *t = LIST_ITEM(e, struct route_tap, link);

		t->event(t, m, kind);
	}
}

/* The same for a change of members; makes the frame. */
static void
tap_member(struct broker *br, const struct msg_member *m)
{
	struct msg_event e = { .app = m->app, .channel = m->channel };
	struct buf *b = NULL;

	if (m->change == MEMBER_ADDED)
		frame_member_added(&b, m->channel, m->user_id, m->user_info);
	else
		frame_member_removed(&b, m->channel, m->user_id);
	e.frame = buf_str(b);
	tap_event(br, &e, ROUTE_OWN);
	buf_unref(b);
}

/* ---- events ---- */

/*
 * The slot of a client event's sender, as a bit, if its worker has delivered
 * the event, or would throw it away because no other client there is
 * subscribed.  0: it needs the event.  One that is sent again is passed on: its
 * sender may have left since.
 */
static uint64_t
not_needed_by(
    const struct peer *p, const struct channel *c, const struct msg_event *m)
{
	if (m->flags & EVENT_DELIVERED)
		return UINT64_C(1) << p->slot;
	if (!(m->flags & EVENT_CLIENT) || m->flags & EVENT_LOG ||
	    p->br->cluster != NULL || m->seq <= p->replay_end ||
	    c->count[p->slot] != 1)
		return 0;
	return UINT64_C(1) << p->slot;
}

int
route_on_event(void *owner, const struct ipc_in *in)
{
	struct peer *p = owner;
	struct broker *br = p->br;
	struct channel *c;
	struct msg_event m;
	uint64_t mask;

	if (p->slot == -1 || msg_event_get(&m, in->body) == -1 ||
	    m.origin != p->origin || m.seq == 0 || m.channel.n == 0 ||
	    m.channel.n > REGISTRY_NAME_MAX)
		return -1;
	if (resync_must_wait(p, m.seq))
		return 0;
	peer_number(p, m.seq);
	if (m.flags & EVENT_LOG)
		number(br, &m, in);
	if (m.flags & EVENT_CACHE)
		cache_put(br, &m);
	if (m.flags & EVENT_CLIENT)
		br->events->client_event(br, &m);
	br->nevents++;
	if (br->ntaps != 0)
		tap_event(br, &m,
		    m.flags & EVENT_CLIENT ? ROUTE_CLIENT : ROUTE_EVENT);
	c = registry_find(br->registry, m.app, m.channel);
	if (c == NULL || c->slots == 0) {
		br->events->unheard(br, m.app, m.channel);
		return 0;
	}
	p->heard = m.seq;
	mask =
	    registry_targets(br->registry, c->slots & ~not_needed_by(p, c, &m));
	p->targets |= mask;
	for (; mask != 0; mask &= mask - 1)
		ipc_pass(&br->peers[__builtin_ctzll(mask)]->ipc, in);
	return 0;
}

/*
 * A message to these slots follows from the message that is being handled, and
 * gets its number.
 */
static void
follow(struct broker *br, uint64_t slots, uint64_t *origin, uint64_t *seq)
{
	if (br->sender == NULL)
		return;
	*origin = br->sender->origin;
	*seq = br->sender->last;
	br->sender->targets |= slots;
}

/* Queues all of b to each of them; drops the reference. */
static void
spread(struct broker *br, uint64_t slots, struct buf *b)
{
	for (; slots != 0; slots &= slots - 1)
		ipc_queue(
		    &br->peers[__builtin_ctzll(slots)]->ipc, b, 0, b->len);
	buf_unref(b);
}

static void
send(struct broker *br, uint64_t slots, const struct msg_event *m)
{
	size_t n = msg_event_size(m);
	struct buf *b;

	if (slots == 0)
		return;
	b = buf_new(n);
	msg_event_put(b->data, m);
	b->len = (uint32_t)n;
	spread(br, slots, b);
}

void
route_member(struct broker *br, const struct channel *c, uint64_t slots,
    struct msg_member *m)
{
	struct buf *b;
	size_t n;

	slots = registry_targets(br->registry, slots & c->slots);
	if (slots == 0)
		return;
	m->app = c->app->num;
	m->channel = registry_name(br->registry, c);
	if (br->ntaps != 0)
		tap_member(br, m);
	follow(br, slots, &m->origin, &m->seq);
	n = msg_member_size(m);
	b = buf_new(n);
	msg_member_put(b->data, m);
	b->len = (uint32_t)n;
	spread(br, slots, b);
}

void
route_frame(struct broker *br, const struct channel *c, struct str frame)
{
	struct msg_event m = { .app = c->app->num,
		.channel = registry_name(br->registry, c),
		.frame = frame };
	uint64_t slots = registry_targets(br->registry, c->slots);

	if (br->ntaps != 0)
		tap_event(br, &m, ROUTE_OWN);
	follow(br, slots, &m.origin, &m.seq);
	send(br, slots, &m);
}

uint32_t
route_publish(struct broker *br, struct msg_event *m)
{
	struct channel *c;

	if (m->flags & EVENT_LOG)
		m->pos = replay_log(br->replay, m);
	if (m->flags & EVENT_CACHE)
		cache_put(br, m);
	br->nevents++;
	if (br->ntaps != 0)
		tap_event(br, m, ROUTE_EVENT);
	c = registry_find(br->registry, m->app, m->channel);
	if (c == NULL || c->slots == 0) {
		br->events->unheard(br, m->app, m->channel);
		return 0;
	}
	send(br, registry_targets(br->registry, c->slots), m);
	return c->total;
}
