/* SPDX-License-Identifier: MIT */
#ifndef WORKER_LINK_HELD_H
#define WORKER_LINK_HELD_H

/* Cached events that this worker holds in case the broker dies. */

#include <stdint.h>

#include "shared/base/hash.h"
#include "shared/base/list.h"
#include "shared/ipc/ipc_msg.h"

struct worker;

#define HELD_ORIGINS 128 /* there are 64 at most at one time */

struct held_upto {
	uint64_t origin, seq;
};

struct held {
	struct hash by_name;
	struct list events; /* struct held_event, oldest first */
	uint64_t bytes;
	/* What has been handed to us, by origin; 0: none. */
	struct held_upto upto[HELD_ORIGINS];
	unsigned upto_next; /* makes room for another origin */
};

void held_init(struct worker *);
/* Gives all of them to a new broker. */
void held_replay(struct worker *);
/* Forgets those of an app, whose number belongs to another one now. */
void held_forget(struct worker *, uint32_t app);
/* Once a second: drops what is over. */
void held_tick(struct worker *);
void held_free(struct worker *);
/* Handlers of CACHED, CACHED_UPTO. */
int held_on_cached(struct worker *, const struct msg_cached *);
int held_on_upto(struct worker *, const struct msg_cached_upto *);

#endif
