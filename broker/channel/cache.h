/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CHANNEL_CACHE_H
#define BROKER_CHANNEL_CACHE_H

/*
 * The last event of each cache channel (Pusher documentation, "Cache
 * channels"), kept for the app's cache_ttl, also without subscribers.  All of
 * them together are bounded by conf->cache_memory; above it the app that holds
 * most loses its least recently used events first.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/list.h"
#include "shared/base/shares.h"
#include "shared/base/str.h"
#include "shared/ipc/ipc_msg.h"

struct broker;
struct channel;
struct peer;

struct cached {
	struct list lru;    /* in cache->lru, most recently used last */
	struct list in_app; /* in its app's share, likewise */
	struct share *share;
	struct channel *channel;
	double due;     /* broker_now() when it is over */
	uint64_t stamp; /* the later one counts in a replay */
	int from;       /* slot that gave it back, or -1 */
	uint32_t cost, frame_len;
	char frame[];
};

/* Up to which seq a worker's events had been copied to another worker. */
struct cache_mark {
	uint64_t origin, seq;
	unsigned slot; /* of the worker that reports it */
};

struct cache {
	struct list lru;
	struct shares shares; /* bytes */
	struct list *sweep;   /* the next one to look at */
	size_t n;
	uint64_t handed;          /* slots that got copies in this turn */
	struct cache_mark *marks; /* during a resync */
	size_t nmarks;
};

void cache_init(struct broker *);
void cache_clear(struct broker *);
/* Stores a copy of the frame as the channel's last event. */
void cache_put(struct broker *, const struct msg_event *);
/*
 * The stored frame, byte for byte, or p == NULL.  Valid until the next call of
 * a function of this file.  *left, if not NULL, gets the seconds until it
 * expires.
 */
struct str cache_get(struct broker *, struct channel *, double *left);
/* Is there a cached event?  Does not count as a use. */
bool cache_has(const struct channel *);
/* Forgets the cached event; frees the channel if nothing else keeps it. */
void cache_purge(struct broker *, struct channel *);
void cache_purge_app(struct broker *, uint32_t app);
/*
 * One worker holds a copy of each event, in case this process dies.  Sends a
 * new link the copies that its worker holds.
 */
void cache_hand_all(struct peer *);
/*
 * Sends the copies of this turn.  They leave before anything else, so that
 * nobody sees an event, or its acknowledgement, that a later broker could not
 * know.
 */
void cache_flush(struct broker *);
/* Handlers of CACHED, CACHE_MARK: a worker gives back its copies. */
int cache_on_cached(struct peer *, const struct msg_cached *);
int cache_on_mark(struct peer *, const struct msg_cache_mark *);
/* The resync is over. */
void cache_on_live(struct broker *);
/*
 * Enforces the bound, which may have become lower, and takes events from an app
 * that holds too much memory in all.
 */
void cache_shrink(struct broker *);
/* Once a second: forgets some expired events. */
void cache_sweep(struct broker *);

#endif
