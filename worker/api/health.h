/* SPDX-License-Identifier: MIT */
#ifndef WORKER_API_HEALTH_H
#define WORKER_API_HEALTH_H

struct conn;

/* /up and /live: 200 while the process answers. */
void health_get(struct conn *);
/* /ready: 200, or 503 and the reason: it is stopping, or has no broker. */
void health_get_ready(struct conn *);
/* /accept-traffic: as /ready, and 503 when there is no room for a client. */
void health_get_accept_traffic(struct conn *);

#endif
