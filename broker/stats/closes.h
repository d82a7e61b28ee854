/* SPDX-License-Identifier: MIT */
#ifndef BROKER_STATS_CLOSES_H
#define BROKER_STATS_CLOSES_H

/* The last connections that ended, of all workers. */

#include "shared/proc/last_closes.h"

struct broker;

/*
 * Adds a connection that ended; the bytes come from a worker and are made safe.
 */
void closes_add(struct broker *, const struct stats_close *);

#endif
