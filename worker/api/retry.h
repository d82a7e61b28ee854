/* SPDX-License-Identifier: MIT */
#ifndef WORKER_API_RETRY_H
#define WORKER_API_RETRY_H

/*
 * Publishes that come while there is no broker: see api_retry.c.
 */

#include <ev.h>
#include <stddef.h>

#include "shared/base/list.h"
#include "shared/base/shares.h"

struct api_request;
struct conn;
struct worker;

#define API_RETRY_SECONDS 1.       /* then 503 */
#define API_RETRY_MAX 2000         /* requests of a worker */
#define API_RETRY_BYTES (8u << 20) /* of them together */

struct api_retries {
	struct list requests; /* struct http, oldest first */
	struct shares shares; /* of the apps: struct http, oldest first */
	size_t n, bytes;
	ev_timer timer;
};

void api_retry_init(struct worker *);
void api_retry_free(struct worker *);
/* Keeps the request; when that is not possible, answers it. */
void api_retry(const struct api_request *);
/* The same for one that waited for an answer that will not come. */
void api_retry_copy(struct conn *);
/* It is going. */
void api_retry_forget(struct conn *);
/* There is a broker: runs all of them from their beginning. */
void api_retry_run(struct worker *);

#endif
