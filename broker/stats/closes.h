/* SPDX-License-Identifier: MIT */
#ifndef BROKER_STATS_CLOSES_H
#define BROKER_STATS_CLOSES_H

/* The last connections that ended. */

#include <stdint.h>

#include "shared/proc/stats.h"

struct broker;

#define CLOSES_MAX 1000

struct closes {
	struct stats_close *v; /* CLOSES_MAX, a ring; NULL until the first */
	uint32_t n, first;
};

/*
 * Adds a connection that ended; the bytes come from a worker and are made safe.
 */
void closes_add(struct broker *, const struct stats_close *);
void closes_clear(struct broker *);

#endif
