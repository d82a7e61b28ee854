/* SPDX-License-Identifier: MIT */
/*
 * route.c: the hot path.  One lookup, and for each worker with subscribers a
 * reference to the bytes as they came in.  The frame inside is never looked
 * at; a cache channel keeps a copy of it.
 *
 * Must never copy an event that is passed on, log, or allocate beyond the
 * growth of a queue.
 */

#include "broker/channel/route.h"

#include "broker/channel/cache.h"
#include "broker/channel/registry.h"
#include "broker/control/tail.h"
#include "broker/core/core.h"
#include "broker/link/peer.h"
#include "broker/link/resync.h"
#include "broker/log/replay.h"
#include "broker/webhook/hooks.h"
#include "shared/base/base.h"

/* Its number in the app's log goes into the bytes as they came in. */
static void
number(struct broker *br, const struct msg_event *m, const struct ipc_in *in)
{
	uint64_t pos = replay_log(br->replay, m);

	memcpy(in->b->data + in->off + IPC_HEAD, &pos, sizeof(pos));
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
	if (resync_must_wait(p, m.seq, m.read_us))
		return 0;
	peer_number(p, m.seq);
	if (m.flags & EVENT_LOG)
		number(br, &m, in);
	if (m.flags & EVENT_CACHE)
		cache_put(br, &m);
	if (m.flags & EVENT_CLIENT)
		hooks_client_event(br, &m);
	br->nevents++;
	if (br->ntails != 0)
		tail_event(
		    br, &m, m.flags & EVENT_CLIENT ? TAIL_CLIENT : TAIL_EVENT);
	c = registry_find(br->registry, m.app, m.channel);
	if (c == NULL)
		return 0;
	p->targets |= c->slots;
	for (mask = c->slots; mask != 0; mask &= mask - 1)
		ipc_pass(&br->peers[__builtin_ctzll(mask)]->ipc, in);
	return 0;
}

/* The whole of b to each of them; drops the reference. */
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
	struct peer *cause = br->cause;
	struct buf *b;
	size_t n;

	slots &= c->slots;
	if (slots == 0)
		return;
	m->app = c->app->num;
	m->channel = registry_name(br->registry, c);
	if (br->ntails != 0)
		tail_member(br, m);
	if (cause != NULL) {
		m->origin = cause->origin;
		m->seq = cause->last;
		cause->targets |= slots;
	}
	n = msg_member_size(m);
	b = buf_new(n);
	msg_member_put(b->data, m);
	b->len = (uint32_t)n;
	spread(br, slots, b);
}

void
route_frame(struct broker *br, const struct channel *c, uint64_t slots,
    struct str frame, uint64_t except)
{
	struct msg_event m = { .app = c->app->num,
		.except = except,
		.channel = registry_name(br->registry, c),
		.frame = frame };
	struct peer *cause = br->cause;

	if (br->ntails != 0)
		tail_event(br, &m, TAIL_OWN);
	slots &= c->slots;
	if (cause != NULL) {
		m.origin = cause->origin;
		m.seq = cause->last;
		cause->targets |= slots;
	}
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
	if (br->ntails != 0)
		tail_event(br, m, TAIL_EVENT);
	c = registry_find(br->registry, m->app, m->channel);
	if (c == NULL)
		return 0;
	send(br, c->slots, m);
	return c->total;
}
