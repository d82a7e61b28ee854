/* SPDX-License-Identifier: MIT */
#ifndef WORKER_API_METRICS_H
#define WORKER_API_METRICS_H

struct conn;

/* The Content-Type of GET /metrics (Prometheus text format). */

/* GET /metrics on metrics_listen: the broker knows all of it. */
void metrics_get(struct conn *);

#endif
