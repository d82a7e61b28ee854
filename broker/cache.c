/* SPDX-License-Identifier: MIT */
/*
 * cache.c: the last events of cache channels.  Owns struct cached.  An entry
 * hangs on its channel and keeps it in the registry; what it costs is counted
 * with everything around it, so that the bound is one of memory.
 *
 * What is over is never given out, and swept away little by little, a bounded
 * number of entries each second.  Must never look inside a frame.
 */

#include "broker/cache.h"

#include <stdlib.h>

#include "broker/broker.h"
#include "shared/base.h"
#include "shared/conf.h"
#include "shared/xmalloc.h"

#define SWEEP_ENTRIES 5000 /* looked at in one second */
#define HEAP_OVERHEAD 32   /* of the two blocks, about */

void
cache_init(struct broker *br)
{
	list_init(&br->cache.lru);
	br->cache.sweep = &br->cache.lru;
}

/* Off the channel, which stays. */
static void
detach(struct broker *br, struct cached *e)
{
	if (br->cache.sweep == &e->lru)
		br->cache.sweep = e->lru.next;
	list_remove(&e->lru);
	br->cache.bytes -= e->cost;
	br->cache.n--;
	e->channel->cached = NULL;
	free(e);
}

void
cache_purge(struct broker *br, struct channel *c)
{
	if (c->cached == NULL)
		return;
	detach(br, c->cached);
	registry_release(&br->registry, c);
}

static struct cached *
first(struct broker *br)
{
	return LIST_ITEM(br->cache.lru.next, struct cached, lru);
}

void
cache_clear(struct broker *br)
{
	while (!list_is_empty(&br->cache.lru))
		cache_purge(br, first(br)->channel);
}

void
cache_put(struct broker *br, uint32_t app, struct str channel, struct str frame)
{
	const struct broker_app *a = apps_find(br, app);
	struct channel *c;
	struct cached *e;

	if (a == NULL)
		return;
	c = registry_get(&br->registry, app, channel);
	if (c->cached != NULL)
		detach(br, c->cached);
	e = xmalloc(sizeof(*e) + frame.n);
	e->channel = c;
	e->due = broker_now() + a->app.cache_ttl;
	e->frame_len = (uint32_t)frame.n;
	e->cost = (uint32_t)(sizeof(*e) + frame.n + sizeof(*c) +
	    br->nslots * sizeof(c->count[0]) + channel.n + HEAP_OVERHEAD);
	if (frame.n > 0)
		memcpy(e->frame, frame.p, frame.n);
	list_init(&e->lru);
	list_append(&br->cache.lru, &e->lru);
	br->cache.bytes += e->cost;
	br->cache.n++;
	c->cached = e;
	while (br->cache.bytes > br->conf->cache_memory)
		cache_purge(br, first(br)->channel);
}

struct str
cache_get(struct broker *br, struct channel *c, double *left)
{
	struct cached *e = c->cached;
	double rest;

	if (e == NULL || (rest = e->due - broker_now()) <= 0)
		return (struct str){ NULL, 0 };
	if (br->cache.sweep == &e->lru)
		br->cache.sweep = e->lru.next;
	list_remove(&e->lru);
	list_append(&br->cache.lru, &e->lru);
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

	LIST_FOREACH_SAFE(e, tmp, &br->cache.lru) {
		struct channel *c = LIST_ITEM(e, struct cached, lru)->channel;

		if (c->app->num == app)
			cache_purge(br, c);
	}
}

void
cache_sweep(struct broker *br)
{
	struct cache *cache = &br->cache;
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
