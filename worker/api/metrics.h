/* SPDX-License-Identifier: MIT */
#ifndef WORKER_API_METRICS_H
#define WORKER_API_METRICS_H

struct conn;

/* Of the text that GET /metrics gives (Prometheus text format). */

/* GET /metrics on metrics_listen: the broker knows all of it. */
void metrics_get(struct conn *);

#endif
