/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CHANNEL_CACHE_H
#define BROKER_CHANNEL_CACHE_H

/*
 * The last event of each cache channel (Pusher documentation, "Cache
 * channels"): kept for the app's cache_ttl, also when nobody is subscribed;
 * all of them together are bounded by conf->cache_memory, and then those of
 * the app that holds most go, the least recently used first.
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

/* How far a worker's events had been handed to another one. */
struct cache_mark {
	uint64_t origin, seq;
	unsigned slot; /* of who says so */
};

struct cache {
	struct list lru;
	struct shares shares;
	struct list *sweep; /* the next one to look at */
	uint64_t bytes;
	size_t n;
	uint64_t handed;          /* slots that got some in this turn */
	struct cache_mark *marks; /* during a resync */
	size_t nmarks;
};

void cache_init(struct broker *);
void cache_clear(struct broker *);
/* Keeps a copy of its frame as the channel's last event. */
void cache_put(struct broker *, const struct msg_event *);
/*
 * The frame, byte for byte, or p == NULL.  Valid until the next call of a
 * function of this file.  *left, when not NULL: seconds it still has.
 */
struct str cache_get(struct broker *, struct channel *, double *left);
/* Is there one?  Does not count as a use. */
bool cache_has(const struct channel *);
/* Forgets it; frees the channel when nothing else keeps it. */
void cache_purge(struct broker *, struct channel *);
void cache_purge_app(struct broker *, uint32_t app);
/*
 * Each event is held by one worker too, in case this process dies: gives a
 * new link what its worker has to hold.
 */
void cache_hand_all(struct peer *);
/*
 * Sends what this turn has handed on.  It goes out before anything else, so
 * that nobody sees an event, or hears that it was taken, of which a later
 * broker could not know that it was.
 */
void cache_flush(struct broker *);
/* Handlers of CACHED, CACHE_MARK: a worker gives back what it held. */
int cache_on_cached(struct peer *, const struct msg_cached *);
int cache_on_mark(struct peer *, const struct msg_cache_mark *);
/* The resync is over. */
void cache_on_live(struct broker *);
/*
 * Holds it to its bound, which may be less than it was, and takes from an app
 * that holds too much in all.
 */
void cache_shrink(struct broker *);
/* Forgets some of what is over; called once a second. */
void cache_sweep(struct broker *);

#endif
