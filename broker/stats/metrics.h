/* SPDX-License-Identifier: MIT */
#ifndef BROKER_STATS_METRICS_H
#define BROKER_STATS_METRICS_H

/*
 * GET /metrics: the text format of Prometheus, version 0.0.4, made from
 * stats.def.
 */

#include <stdbool.h>

#include "shared/base/list.h"
#include "shared/ipc/ipc_msg.h"

struct broker;
struct peer;

/* The answers that are being written. */
struct scrapes {
	struct list all;
};

void metrics_init(struct broker *);
/* QUERY_METRICS of a worker. */
void metrics_on_query(struct peer *, const struct msg_query *);
/* Continues, one family in each turn; true when work is left. */
bool metrics_continue(struct broker *);
/* Drops the questions of this worker, or of all (NULL). */
void metrics_drop(struct broker *, const struct peer *);

#endif
