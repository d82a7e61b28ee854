/* SPDX-License-Identifier: MIT */
#ifndef WORKER_API_RETRY_H
#define WORKER_API_RETRY_H

/*
 * Publishes that wait for a broker, or for their app's deliveries: see
 * retry.c.
 */

#include <ev.h>
#include <stddef.h>

#include "shared/base/list.h"
#include "shared/base/shares.h"

struct api_request;
struct conn;
struct worker;

#define API_RETRY_SECONDS 1.       /* then 503 */
#define API_CONFIRM_SECONDS 5.     /* then 503, though it may be published */
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
/* Stores the request; if that is not possible, answers it. */
void api_retry(const struct api_request *);
/* The same for a request whose answer from the broker will not come. */
void api_retry_copy(struct conn *);
/* Drops the request. */
void api_retry_forget(struct conn *);
/* Runs the requests that need not wait any more, from their beginning. */
void api_retry_run(struct worker *);
/*
 * In a cluster: requests whose events the stream has not had for
 * API_CONFIRM_SECONDS get 503.
 */
void api_confirm_tick(struct worker *);

#endif
