/* SPDX-License-Identifier: MIT */
#ifndef WORKER_API_API_PARK_H
#define WORKER_API_API_PARK_H

/*
 * Publishes that come while there is no broker: see api_park.c.
 */

#include <ev.h>
#include <stddef.h>

#include "shared/base/list.h"

struct api_request;
struct conn;
struct worker;

#define API_PARK_SECONDS 1.       /* then 503 */
#define API_PARK_MAX 2000         /* requests of a worker */
#define API_PARK_BYTES (8u << 20) /* of them together */

struct api_parked {
	struct list requests; /* struct http, oldest first */
	size_t n, bytes;
	ev_timer timer;
};

void api_park_init(struct worker *);
/* Keeps the request; when that is not possible, answers it. */
void api_park(const struct api_request *);
/* The same for one that waited for an answer that will not come. */
void api_park_copy(struct conn *);
/* It is going. */
void api_park_forget(struct conn *);
/* There is a broker: runs all of them from their beginning. */
void api_park_run(struct worker *);

#endif
