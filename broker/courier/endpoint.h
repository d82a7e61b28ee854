/* SPDX-License-Identifier: MIT */
#ifndef BROKER_COURIER_ENDPOINT_H
#define BROKER_COURIER_ENDPOINT_H

/* The targets of webhooks, and the requests that wait for each of them. */

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "broker/courier/queue.h"
#include "shared/app/outbox.h"
#include "shared/base/hash.h"
#include "shared/ipc/ipc_msg.h"

struct courier;

struct endpoint {
	struct hash_node node;
	struct courier *c;
	uint32_t num, app;
	char *owner; /* "UUID/ID" of the database and the app */
	bool enabled, batch, allow_private;
	bool seen; /* in the current list of endpoints */
	bool gone; /* freed when nothing is in progress */
	char *url, *headers, *key, *old_key;
	struct sign_key *sign, *old_sign;
	uint64_t old_until; /* Unix seconds until which the old key signs */
	struct queues queues;
	struct list held; /* in courier->held */
	/* The batch that is being collected. */
	struct delivery *open;
	struct buf *events;
	uint32_t count;
	bool extended; /* since it was written */
	ev_timer window;
	/* Attempts in a row that found no working server: see sender.c. */
	uint32_t down;
	ev_timer rest;
	/*
	 * Unix time since which no attempt has succeeded, as in the outbox; 0:
	 * the last one did.
	 */
	uint64_t failing_ms;
	uint64_t ok, failed; /* attempts since the last report */
};

struct endpoint *endpoint_find(const struct courier *, uint32_t num);
/* Makes or changes an endpoint. */
void endpoint_set(struct courier *, const struct msg_endpoint *);
/*
 * Removes the endpoints that were not set since the last call; true if there
 * were any.
 */
bool endpoint_sweep(struct courier *);
/* Removes the endpoint and frees its requests in progress. */
void endpoint_free(struct endpoint *);
void endpoint_clear_all(struct courier *);
void endpoint_each(struct courier *, void (*)(struct endpoint *));

/*
 * Takes one event: a request of its own, or one more in the batch.  It is in
 * courier->fresh until the next commit.  0, or -1: the outbox has failed.
 */
int endpoint_add(struct endpoint *, const struct msg_hook *);
/* False: the row is of another app or database that had this number. */
bool endpoint_owns(const struct endpoint *, const struct delivery *);
/* Writes the open batches in their present state: 0, or -1. */
int endpoint_write_batches(struct courier *);
/* Queues a waiting row of the outbox. */
void endpoint_load(struct endpoint *, const struct outbox_row *);
/* Forgets all waiting requests (the outbox has them). */
void endpoint_forget_all(struct courier *);

#endif
