/* SPDX-License-Identifier: MIT */
#ifndef WORKER_LINK_CACHE_REPLICA_H
#define WORKER_LINK_CACHE_REPLICA_H

/* Cached events that this worker holds in case the broker dies. */

#include <stdint.h>

#include "shared/base/hash.h"
#include "shared/base/list.h"
#include "shared/base/newest.h"
#include "shared/ipc/ipc_msg.h"

struct worker;

struct cache_replica {
	struct hash by_name;
	struct list events; /* struct replica_event, oldest first */
	uint64_t bytes;
	struct newest marks; /* events that were received, or are older */
};

void cache_replica_init(struct worker *);
/* Gives all of them to a new broker. */
void cache_replica_replay(struct worker *);
/* Drops those of an app whose number belongs to another one now. */
void cache_replica_forget(struct worker *, uint32_t app);
/* Once a second: drops expired ones. */
void cache_replica_tick(struct worker *);
void cache_replica_free(struct worker *);
/* The stamp of the stored event of this channel; 0: there is none. */
uint64_t cache_replica_stamp(struct worker *, uint32_t app, struct str channel);
/* Handlers of CACHED, CACHE_MARK. */
int cache_replica_on_cached(struct worker *, const struct msg_cached *);
int cache_replica_on_mark(struct worker *, const struct msg_cache_mark *);

#endif
