/* SPDX-License-Identifier: MIT */
#ifndef WORKER_CLIENT_CLIENT_MEMORY_H
#define WORKER_CLIENT_CLIENT_MEMORY_H

/*
 * The account of the memory held for clients, against this worker's share of
 * memory_limit: refuses new clients shortly before the limit, and above it
 * closes those that hold most.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/proc/memory.h"

struct worker;

struct client_memory {
	struct memory memory;
	uint64_t limit;     /* bytes of this process; 0: none */
	uint64_t available; /* of the machine or the cgroup */
	uint64_t looked; /* what clients sent, and what the broker sent, at the
			    last look */
	uint64_t step;   /* bytes that may come between two looks */
	uint64_t busy;   /* bytes that came since memory was given back */
	uint64_t ticked; /* bytes that had come at the last tick */
	uint64_t closed; /* clients that were closed for it */
	bool barren;     /* nothing was left to close at the last look */
	char refusal[200]; /* reason to refuse newcomers */
};

void client_memory_init(struct worker *);
void client_memory_free(struct worker *);
/* The configuration or the number of workers has changed. */
void client_memory_share(struct worker *);
/*
 * Looks at the memory when much has come since the last look.  Call it between
 * two connections: it may close any of them.
 */
void client_memory_check(struct worker *);
/*
 * Do unfinished messages and queued output have at most max bytes together?
 * Each queue counts in full, as if it had copies of the events that it shares
 * with others.
 */
bool client_memory_copies_fit(struct worker *, uint64_t max);
/*
 * Closes the clients that have most of these bytes, until at most max are left;
 * returns how many it has closed.
 */
uint32_t client_memory_bound_copies(struct worker *, uint64_t max);
/* Once a second: looks at the memory, and returns free memory after a peak. */
void client_memory_tick(struct worker *);

#endif
