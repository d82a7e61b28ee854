/* SPDX-License-Identifier: MIT */
#ifndef WORKER_CLIENT_HOLD_H
#define WORKER_CLIENT_HOLD_H

/*
 * The account of the memory held for clients, against this worker's share of
 * memory_limit: refuses new clients shortly before the limit, and above it
 * closes those that hold most.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/proc/memory.h"

struct conn;
struct worker;

struct hold {
	struct memory memory;
	uint64_t available; /* bytes of the machine or the cgroup */
	uint64_t looked; /* what clients sent, and what the broker sent, at the
			    last look */
	uint64_t step;   /* bytes that may come between two looks */
	uint64_t busy;   /* bytes that came since memory was given back */
	uint64_t ticked; /* bytes that had come at the last tick */
	uint64_t closed; /* clients that were closed for it */
	bool barren;     /* nothing was left to close at the last look */
	char refusal[200]; /* reason to refuse newcomers */
};

void hold_init(struct worker *);
void hold_free(struct worker *);
/* The configuration or the number of workers has changed. */
void hold_share(struct worker *);
/*
 * Looks at the memory when much has come since the last look.  Call it between
 * two connections: it may close any of them.
 */
void hold_check(struct worker *);
/* Once a second: looks at the memory, and returns free memory after a peak. */
void hold_tick(struct worker *);
/* Bytes that are held for this connection; shared ones in proportion. */
uint64_t hold_cost(const struct conn *);

#endif
