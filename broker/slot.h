/* SPDX-License-Identifier: MIT */
#ifndef BROKER_SLOT_H
#define BROKER_SLOT_H

/*
 * The end of a worker's slot: the worker is gone, or another one takes its
 * clients over.
 */

#include <stdint.h>

#include "shared/ipc/ipc_msg.h"

struct peer;

/* The worker that gives up its slot, while its receiver has not said MERGED. */
struct slot_move {
	struct peer *from; /* NULL: there is none, or its link has ended */
	unsigned slot;
	uint64_t origin;
	uint32_t nconns;
};

/* Handlers of MERGE, MERGED. */
int slot_on_merge(struct peer *, const struct msg_merge *);
int slot_on_merged(struct peer *, const struct msg_merged *);
/* The link of a worker has ended. */
void slot_down(struct peer *);

#endif
