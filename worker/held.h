/* SPDX-License-Identifier: MIT */
#ifndef WORKER_HELD_H
#define WORKER_HELD_H

/* Cached events that this worker holds in case the broker dies. */

#include <stdint.h>

#include "shared/hash.h"
#include "shared/ipc_msg.h"
#include "shared/list.h"

struct worker;

struct held {
	struct hash by_name;
	struct list events; /* struct held_event, oldest first */
	uint64_t bytes;
};

void held_init(struct worker *);
/* Gives all of them to a new broker. */
void held_replay(struct worker *);
/* Once a second: drops what is over. */
void held_tick(struct worker *);
void held_free(struct worker *);
/* Handler of CACHED. */
int held_on_cached(struct worker *, const struct msg_cached *);

#endif
