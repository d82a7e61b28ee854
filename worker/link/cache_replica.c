/* SPDX-License-Identifier: MIT */
/*
 * cache_replica.c: copies of cached events.  The broker owns the events and is
 * the only one that reads them; it sends each one to a worker, which gives it
 * back when the broker has died.  Owns the copies, within conf->cache_memory:
 * the oldest are dropped first.  Must never give one to a client.
 */

#include "worker/link/cache_replica.h"

#include <stdlib.h>
#include <time.h>

#include "shared/base/clock.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "worker/app/apps.h"
#include "worker/core/core.h"
#include "worker/link/link.h"

#define SWEEP_EVENTS 1000 /* looked at in one second */

struct replica_event {
	struct hash_node node;
	struct list link;
	uint64_t stamp, due_ms;
	uint32_t app, name_len, frame_len;
	char bytes[]; /* name, frame */
};

struct replica_key {
	uint32_t app;
	struct str name;
};

static uint64_t
now_ms(void)
{
	return clock_ms(CLOCK_MONOTONIC);
}

static bool
cache_replica_eq(const struct hash_node *n, const void *key)
{
	const struct replica_key *k = key;
	const struct replica_event *e =
	    container_of(n, const struct replica_event, node);

	return e->app == k->app &&
	    str_eq(str_make(e->bytes, e->name_len), k->name);
}

static uint64_t
cost(const struct replica_event *e)
{
	return sizeof(*e) + e->name_len + e->frame_len;
}

static void
discard(struct cache_replica *h, struct replica_event *e)
{
	hash_remove(&h->by_name, &e->node);
	list_remove(&e->link);
	h->bytes -= cost(e);
	free(e);
}

static struct replica_event *
first(struct cache_replica *h)
{
	return LIST_ITEM(h->events.next, struct replica_event, link);
}

void
cache_replica_init(struct worker *w)
{
	list_init(&w->cache_replica->events);
}

void
cache_replica_free(struct worker *w)
{
	struct cache_replica *h = w->cache_replica;

	while (!list_is_empty(&h->events))
		discard(h, first(h));
	hash_clear(&h->by_name);
}

static void
insert(struct cache_replica *h, const struct msg_cached *m)
{
	struct replica_event *e =
	    xmalloc(sizeof(*e) + m->channel.n + m->frame.n);

	e->stamp = m->stamp;
	e->due_ms = m->due_ms;
	e->app = m->app;
	e->name_len = (uint32_t)m->channel.n;
	e->frame_len = (uint32_t)m->frame.n;
	memcpy(e->bytes, m->channel.p, m->channel.n);
	memcpy(e->bytes + m->channel.n, m->frame.p, m->frame.n);
	list_init(&e->link);
	list_append(&h->events, &e->link);
	hash_insert(&h->by_name, &e->node, hash_str(m->channel, m->app));
	h->bytes += cost(e);
}

static void
raise_mark(struct cache_replica *h, uint64_t origin, uint64_t seq)
{
	if (origin != 0)
		newest_raise(&h->marks, origin, seq);
}

int
cache_replica_on_mark(struct worker *w, const struct msg_cache_mark *m)
{
	raise_mark(w->cache_replica, m->origin, m->seq);
	return 0;
}

uint64_t
cache_replica_stamp(struct worker *w, uint32_t app, struct str channel)
{
	struct replica_key k = { app, channel };
	struct hash_node *n = hash_find(&w->cache_replica->by_name,
	    hash_str(channel, app), cache_replica_eq, &k);

	return n == NULL ? 0
			 : container_of(n, struct replica_event, node)->stamp;
}

int
cache_replica_on_cached(struct worker *w, const struct msg_cached *m)
{
	struct cache_replica *h = w->cache_replica;
	struct replica_key k = { m->app, m->channel };
	struct hash_node *n = hash_find(
	    &h->by_name, hash_str(k.name, k.app), cache_replica_eq, &k);

	raise_mark(h, m->origin, m->seq);
	if (n != NULL)
		discard(h, container_of(n, struct replica_event, node));
	if (m->due_ms != 0 && m->channel.n > 0 && m->frame.n > 0)
		insert(h, m);
	while (h->bytes > w->conf->cache_memory)
		discard(h, first(h));
	return 0;
}

void
cache_replica_replay(struct worker *w)
{
	const struct cache_replica *h = w->cache_replica;
	struct list *l;

	for (unsigned i = 0; i < NEWEST_ORIGINS; i++) {
		struct msg_cache_mark m = { .origin = h->marks.v[i].origin,
			.seq = h->marks.v[i].seq };

		if (m.origin != 0)
			link_send_cache_mark(w, &m);
	}
	LIST_FOREACH(l, &h->events) {
		const struct replica_event *e =
		    LIST_ITEM(l, struct replica_event, link);
		const struct client_app *a = apps_by_num(w, e->app);
		struct msg_cached m = { .app = e->app,
			.id = str_of(a == NULL ? "" : a->app.id),
			.stamp = e->stamp,
			.due_ms = e->due_ms,
			.channel = str_make(e->bytes, e->name_len),
			.frame =
			    str_make(e->bytes + e->name_len, e->frame_len) };

		link_replay_room(w);
		link_send_cached(w, &m);
	}
}

void
cache_replica_forget(struct worker *w, uint32_t app)
{
	struct cache_replica *h = w->cache_replica;
	struct list *l, *tmp;

	LIST_FOREACH_SAFE(l, tmp, &h->events) {
		struct replica_event *e =
		    LIST_ITEM(l, struct replica_event, link);

		if (e->app == app)
			discard(h, e);
	}
}

/* With one time to live the oldest expire first. */
void
cache_replica_tick(struct worker *w)
{
	struct cache_replica *h = w->cache_replica;
	uint64_t now = now_ms();
	struct list *l, *tmp;
	int left = SWEEP_EVENTS;

	LIST_FOREACH_SAFE(l, tmp, &h->events) {
		struct replica_event *e =
		    LIST_ITEM(l, struct replica_event, link);

		if (left-- == 0)
			return;
		if (e->due_ms <= now)
			discard(h, e);
	}
}
