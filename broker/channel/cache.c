/* SPDX-License-Identifier: MIT */
/*
 * cache.c: the last events of cache channels.  Owns struct cached.  An entry
 * belongs to its channel and keeps the channel in the registry; its cost
 * includes the blocks around it, so that the bound is one of memory.  An
 * expired event is never given out; a bounded number of entries is swept each
 * second.  Must never look inside a frame.
 *
 * A broker's death must not lose the events, and a file would make the broker
 * wait for a disk.  So one worker, chosen by the channel's name, holds a copy
 * of each (CACHED) and gives it back in its replay.  The death of that worker
 * loses nothing: the broker gives the events to its successor.  After a
 * broker's death the workers send their unacknowledged events again, each in
 * its own order, but the order among workers is open.  So the holder also knows
 * the highest seq of each worker's events that it has been given (CACHE_MARK):
 * events up to that seq are older than the copy, or are the copy itself.
 */

#include "broker/channel/cache.h"

#include <stdlib.h>

#include "broker/app/apps.h"
#include "broker/channel/channel_events.h"
#include "broker/channel/registry.h"
#include "broker/core/budget.h"
#include "broker/core/core.h"
#include "broker/link/peer.h"
#include "broker/link/resync.h"
#include "shared/base/base.h"
#include "shared/base/hash.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "shared/proc/proc.h"
#include "shared/proc/session_table.h"

#define SWEEP_ENTRIES 5000     /* entries checked in one second */
#define HEAP_OVERHEAD 32       /* of the two blocks, about */
#define HAND_BYTES (32u << 20) /* given to a new link, at most */
/* One worker reports at most so many: see NEWEST_ORIGINS. */
#define MARKS_MAX 256

void
cache_init(struct broker *br)
{
	list_init(&br->cache->lru);
	br->cache->sweep = &br->cache->lru;
}

/* The channel itself is booked elsewhere. */
static size_t
booked(const struct cached *e)
{
	return sizeof(*e) + e->frame_len + BUDGET_BLOCK;
}

/* Takes the event off its channel, which stays. */
static void
detach(struct broker *br, struct cached *e)
{
	if (br->cache->sweep == &e->lru)
		br->cache->sweep = e->lru.next;
	list_remove(&e->lru);
	list_remove(&e->in_app);
	shares_sub(&br->cache->shares, e->share, e->cost);
	budget_sub(br->budget, e->channel->app->num, booked(e));
	br->cache->n--;
	e->channel->cached = NULL;
	free(e);
}

/* ---- what workers hold ---- */

/*
 * Must be the same in every broker process, hence not the keyed hash; but an
 * app must not choose channels that one worker would hold all copies of.
 */
static struct peer *
holder_of(struct broker *br, uint32_t app, struct str name)
{
	const struct session_table *t =
	    br->inherit == NULL ? NULL : br->inherit->sessions;
	uint64_t key = t == NULL ? 0 : t->salt;
	uint64_t hash = hash_sip13(key, 0, app, name), weight, most = 0;
	struct peer *p = NULL;

	/* Of those that are there now, each has an equal part. */
	for (unsigned i = 0; i < br->nslots; i++) {
		weight = hash_u64(hash + i);
		if (br->peers[i] == NULL || (p != NULL && weight < most))
			continue;
		p = br->peers[i];
		most = weight;
	}
	return p;
}

static void
hand(struct peer *p, const struct cached *e, const struct msg_event *event)
{
	struct broker *br = p->br;
	struct msg_cached m = { .app = e->channel->app->num,
		.stamp = e->stamp,
		.due_ms = (uint64_t)(e->due * 1000),
		.channel = registry_name(br->registry, e->channel),
		.frame = str_make(e->frame, e->frame_len) };

	if (event != NULL) {
		m.origin = event->origin;
		m.seq = event->seq;
	}
	ipc_send_cached(&p->ipc, &m);
	br->cache->handed |= UINT64_C(1) << p->slot;
	if (br->sender != NULL)
		br->sender->targets |= UINT64_C(1) << p->slot;
}

void
cache_flush(struct broker *br)
{
	uint64_t mask = br->cache->handed;

	br->cache->handed = 0;
	for (; mask != 0; mask &= mask - 1) {
		struct peer *p = br->peers[__builtin_ctzll(mask)];

		if (p != NULL && !p->ipc.blocked)
			ipc_flush(&p->ipc);
	}
}

/* A later broker must not bring it back. */
static void
tell_gone(struct broker *br, const struct channel *c)
{
	struct msg_cached m = { .app = c->app->num,
		.stamp = c->cached->stamp,
		.channel = registry_name(br->registry, c) };
	struct peer *p = holder_of(br, m.app, m.channel);

	if (p != NULL)
		ipc_send_cached(&p->ipc, &m);
}

void
cache_hand_all(struct peer *p)
{
	struct broker *br = p->br;
	struct list *e;

	if (resync_is_on(br))
		return; /* its replay is still to come */
	for (unsigned i = 0; i < br->nslots; i++) {
		struct msg_cache_mark m;

		if (br->peers[i] == NULL || br->peers[i] == p)
			continue;
		m.origin = br->peers[i]->origin;
		m.seq = br->peers[i]->last;
		ipc_send_cache_mark(&p->ipc, &m);
	}
	LIST_FOREACH(e, &p->br->cache->lru) {
		const struct cached *c = LIST_ITEM(e, struct cached, lru);
		struct str name = registry_name(p->br->registry, c->channel);

		if (outq_bytes(&p->ipc.out) > HAND_BYTES)
			return; /* the link has a bound; the rest has no copy */
		if (holder_of(p->br, c->channel->app->num, name) == p)
			hand(p, c, NULL);
	}
}

void
cache_purge(struct broker *br, struct channel *c)
{
	if (c->cached == NULL)
		return;
	tell_gone(br, c);
	detach(br, c->cached);
	registry_release(br->registry, c);
}

static struct cached *
first(struct broker *br)
{
	return LIST_ITEM(br->cache->lru.next, struct cached, lru);
}

void
cache_clear(struct broker *br)
{
	while (!list_is_empty(&br->cache->lru))
		cache_purge(br, first(br)->channel);
	shares_clear(&br->cache->shares);
	cache_on_live(br);
}

/* Makes the entry; the caller enforces the bound. */
static struct cached *
insert(struct broker *br, const struct msg_cached *m)
{
	struct channel *c = registry_get(br->registry, m->app, m->channel);
	struct cached *e = xmalloc(sizeof(*e) + m->frame.n);

	br->events->filled(br, m->app, m->channel);
	e->from = -1;
	if (c->cached != NULL) {
		e->from = c->cached->from; /* older events stay older */
		detach(br, c->cached);
	}
	e->channel = c;
	e->stamp = m->stamp;
	e->due = (double)m->due_ms / 1000;
	e->frame_len = (uint32_t)m->frame.n;
	e->cost = (uint32_t)(sizeof(*e) + m->frame.n + sizeof(*c) +
	    br->nslots * sizeof(c->count[0]) + m->channel.n + HEAP_OVERHEAD);
	if (m->frame.n > 0)
		memcpy(e->frame, m->frame.p, m->frame.n);
	list_init(&e->lru);
	list_append(&br->cache->lru, &e->lru);
	e->share = shares_get(&br->cache->shares, m->app);
	list_init(&e->in_app);
	list_append(&e->share->entries, &e->in_app);
	shares_add(&br->cache->shares, e->share, e->cost);
	budget_add(br->budget, m->app, booked(e));
	br->cache->n++;
	c->cached = e;
	return e;
}

/* Two thirds of what the broker may hold, at most. */
static uint64_t
bound(const struct broker *br)
{
	uint64_t part = budget_max(br->budget), max = br->conf->cache_memory;

	return part == 0 ? max : MIN(max, part / 3 * 2);
}

static void
purge_oldest(struct broker *br, const struct share *s)
{
	cache_purge(
	    br, LIST_ITEM(s->entries.next, struct cached, in_app)->channel);
}

void
cache_shrink(struct broker *br)
{
	struct share *s;
	uint32_t app;

	while (br->cache->shares.held > bound(br) &&
	    (s = shares_largest(&br->cache->shares)) != NULL)
		purge_oldest(br, s);
	/* An app that holds too much loses cached events before anything else.
	 */
	while (budget_payer(br->budget, &app) &&
	    (s = shares_find(&br->cache->shares, app)) != NULL)
		purge_oldest(br, s);
}

/* Is this resent event older than the copy that was given back? */
static bool
is_old(struct broker *br, const struct msg_event *event)
{
	const struct cache *cache = br->cache;
	const struct channel *c =
	    registry_find(br->registry, event->app, event->channel);

	if (c == NULL || c->cached == NULL || c->cached->from == -1)
		return false;
	for (size_t i = 0; i < cache->nmarks; i++)
		if (cache->marks[i].origin == event->origin &&
		    cache->marks[i].slot == (unsigned)c->cached->from)
			return event->seq <= cache->marks[i].seq;
	return false;
}

void
cache_put(struct broker *br, const struct msg_event *event)
{
	const struct broker_app *a = apps_find(br, event->app);
	struct msg_cached m = { .app = event->app,
		.channel = event->channel,
		.frame = event->frame };
	struct cached *e;
	struct peer *p;

	if (a == NULL || (br->cache->nmarks > 0 && is_old(br, event)))
		return;
	m.stamp = ++br->stamp;
	m.due_ms = (uint64_t)((broker_now() + a->app.cache_ttl) * 1000);
	e = insert(br, &m);
	if ((p = holder_of(br, m.app, m.channel)) != NULL)
		hand(p, e, event);
	cache_shrink(br);
}

int
cache_on_cached(struct peer *p, const struct msg_cached *m)
{
	struct broker *br = p->br;
	const struct broker_app *a = apps_find(br, m->app);
	const struct channel *c;

	if (m->channel.n == 0 || m->channel.n > REGISTRY_NAME_MAX)
		return -1;
	br->stamp = MAX(br->stamp, m->stamp);
	c = registry_find(br->registry, m->app, m->channel);
	if (p->rejoined || a == NULL ||
	    (m->id.n > 0 && !str_eq(m->id, str_of(a->app.id))) ||
	    (double)m->due_ms <= broker_now() * 1000 ||
	    (c != NULL && c->cached != NULL && c->cached->stamp >= m->stamp))
		return 0; /* this broker has a newer one */
	insert(br, m)->from = p->slot;
	cache_shrink(br);
	return 0;
}

int
cache_on_mark(struct peer *p, const struct msg_cache_mark *m)
{
	struct cache *cache = p->br->cache;
	size_t n = 0;

	if (!resync_is_on(p->br))
		return 0; /* this broker has a newer one */
	for (size_t i = 0; i < cache->nmarks; i++)
		n += cache->marks[i].slot == (unsigned)p->slot;
	if (n >= MARKS_MAX)
		return -1;
	cache->marks = xreallocarray(
	    cache->marks, cache->nmarks + 1, sizeof(*cache->marks));
	cache->marks[cache->nmarks++] = (struct cache_mark){
		.origin = m->origin, .seq = m->seq, .slot = (unsigned)p->slot
	};
	return 0;
}

void
cache_on_live(struct broker *br)
{
	free(br->cache->marks);
	br->cache->marks = NULL;
	br->cache->nmarks = 0;
}

struct str
cache_get(struct broker *br, struct channel *c, double *left)
{
	struct cached *e = c->cached;
	double rest;

	if (e == NULL || (rest = e->due - broker_now()) <= 0)
		return (struct str){ NULL, 0 };
	if (br->cache->sweep == &e->lru)
		br->cache->sweep = e->lru.next;
	list_remove(&e->lru);
	list_append(&br->cache->lru, &e->lru);
	list_remove(&e->in_app);
	list_append(&e->share->entries, &e->in_app);
	if (left != NULL)
		*left = rest;
	return str_make(e->frame, e->frame_len);
}

bool
cache_has(const struct channel *c)
{
	return c->cached != NULL && c->cached->due > broker_now();
}

void
cache_purge_app(struct broker *br, uint32_t app)
{
	struct list *e, *tmp;

	LIST_FOREACH_SAFE(e, tmp, &br->cache->lru) {
		struct channel *c = LIST_ITEM(e, struct cached, lru)->channel;

		if (c->app->num == app)
			cache_purge(br, c);
	}
}

void
cache_sweep(struct broker *br)
{
	struct cache *cache = br->cache;
	double now = broker_now();

	for (size_t i = MIN(cache->n, SWEEP_ENTRIES); i > 0; i--) {
		struct list *e = cache->sweep;

		if (e == &cache->lru)
			e = cache->lru.next;
		cache->sweep = e->next;
		if (LIST_ITEM(e, struct cached, lru)->due <= now)
			cache_purge(
			    br, LIST_ITEM(e, struct cached, lru)->channel);
		if (list_is_empty(&cache->lru))
			break;
	}
}
