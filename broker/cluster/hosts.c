/* SPDX-License-Identifier: MIT */
/*
 * hosts.c: the other hosts and their workers.  Owns struct host and the peers
 * without a link.  A worker's slot becomes free when all that it left is gone
 * from the registry.
 */

#include "broker/cluster/hosts.h"

#include <stdlib.h>
#include <string.h>

#include "broker/channel/dead_slot.h"
#include "broker/channel/registry.h"
#include "broker/core/core.h"
#include "broker/link/peer.h"
#include "broker/user/users.h"
#include "shared/base/base.h"
#include "shared/base/xmalloc.h"

void
hosts_init(struct hosts *h, unsigned room)
{
	*h = (struct hosts){ .room = room };
	list_init(&h->all);
}

/* ---- shares of max_connections ---- */

static void
forget_shares(struct host *host)
{
	struct hash_node *n, *next;

	HASH_FOREACH_SAFE(n, next, &host->shares) {
		hash_remove(&host->shares, n);
		free(container_of(n, struct host_share, node));
	}
	hash_clear(&host->shares);
}

struct host_share *
hosts_share(struct host *host, uint32_t app)
{
	struct hash_node *n = hash_find_u64(&host->shares, app);
	struct host_share *s;

	if (n != NULL)
		return container_of(n, struct host_share, node);
	s = xcalloc(1, sizeof(*s));
	s->app = app;
	hash_insert(&host->shares, &s->node, hash_u64(app));
	return s;
}

uint64_t
hosts_shares(const struct hosts *h, uint32_t app)
{
	const struct list *e;
	uint64_t sum = 0;

	LIST_FOREACH(e, &h->all) {
		const struct hash_node *n = hash_find_u64(
		    &LIST_ITEM(e, struct host, link)->shares, app);

		if (n != NULL)
			sum +=
			    container_of(n, const struct host_share, node)->n;
	}
	return sum;
}

/* ---- hosts ---- */

static void
forget(struct host *host)
{
	list_remove(&host->link);
	forget_shares(host);
	free(host);
}

void
hosts_clear(struct hosts *h)
{
	struct list *e, *tmp;

	for (unsigned i = 0; i < PROC_MAX_WORKERS; i++)
		if (h->peers[i] != NULL)
			peer_free_remote(h->peers[i]);
	LIST_FOREACH_SAFE(e, tmp, &h->all)
		forget(LIST_ITEM(e, struct host, link));
}

struct host *
hosts_find(const struct hosts *h, struct str name)
{
	struct list *e;

	LIST_FOREACH(e, &h->all) {
		struct host *host = LIST_ITEM(e, struct host, link);

		if (str_eq(str_of(host->name), name))
			return host;
	}
	return NULL;
}

void
hosts_settle(struct broker *br)
{
	while (users_drop_dying(br) || dead_slot_go_on(br))
		;
}

void
hosts_lose_slot(struct broker *br, struct hosts *h, unsigned slot)
{
	dead_slot_begin(br, slot);
	hosts_settle(br);
	if (h->peers[slot] != NULL)
		peer_free_remote(h->peers[slot]);
	h->peers[slot] = NULL;
}

void
hosts_lose(struct broker *br, struct hosts *h, struct host *host, unsigned slot)
{
	if (slot >= PROC_MAX_WORKERS || host->slots[slot] == 0)
		return;
	hosts_lose_slot(br, h, host->slots[slot]);
	host->slots[slot] = 0;
}

static void
lose_all(struct broker *br, struct hosts *h, struct host *host)
{
	for (unsigned i = 0; i < PROC_MAX_WORKERS; i++)
		hosts_lose(br, h, host, i);
}

void
hosts_drop(struct broker *br, struct hosts *h, struct host *host)
{
	lose_all(br, h, host);
	h->n--;
	forget(host);
}

struct host *
hosts_enter(struct broker *br, struct hosts *h, struct str name, uint64_t epoch)
{
	struct host *host = hosts_find(h, name);

	if (host == NULL) {
		host = xcalloc(1, sizeof(*host));
		memcpy(host->name, name.p, name.n);
		list_init(&host->link);
		list_append(&h->all, &host->link);
		h->n++;
	} else {
		lose_all(br, h, host);
		forget_shares(host);
	}
	host->epoch = epoch;
	host->answered = 0;
	host->known = host->awaited = false;
	return host;
}

static struct peer *
peer_in(struct broker *br, struct hosts *h, unsigned slot, uint64_t origin)
{
	if (h->peers[slot] == NULL)
		h->peers[slot] = peer_new_remote(br, slot);
	h->peers[slot]->origin = origin;
	return h->peers[slot];
}

struct peer *
hosts_own_peer(
    struct broker *br, struct hosts *h, unsigned slot, uint64_t origin)
{
	return slot < h->room ? peer_in(br, h, slot, origin) : NULL;
}

struct peer *
hosts_peer(struct broker *br, struct hosts *h, struct host *host, unsigned slot,
    uint64_t origin)
{
	unsigned at = h->room;

	if (slot >= PROC_MAX_WORKERS)
		return NULL;
	if (host->slots[slot] != 0)
		return peer_in(br, h, host->slots[slot], origin);
	while (at < PROC_MAX_WORKERS && h->peers[at] != NULL)
		at++;
	if (at == PROC_MAX_WORKERS)
		return NULL;
	host->slots[slot] = (uint8_t)at;
	br->registry->remote |= UINT64_C(1) << at;
	return peer_in(br, h, at, origin);
}
