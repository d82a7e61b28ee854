/* SPDX-License-Identifier: MIT */
#ifndef BROKER_COURIER_ENDPOINT_H
#define BROKER_COURIER_ENDPOINT_H

/*
 * Where webhooks go, and what waits for each of them.  An endpoint has lanes:
 * the requests of one lane go one after the other, so that the events of a
 * channel stay in their order; lanes and endpoints do not wait for each other.
 * The last lane is for tests, which shall not wait for what they are to tell.
 */

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "broker/courier/outbox.h"
#include "shared/base/hash.h"
#include "shared/base/list.h"
#include "shared/ipc/ipc_msg.h"

struct courier;
struct deliver_result;
struct endpoint;

#define ENDPOINT_LANES 8 /* of channels */
#define ENDPOINT_ALL_LANES (ENDPOINT_LANES + 1)

/* A request: a row of the outbox that waits. */
struct item {
	struct list link; /* in lane->waiting, courier->fresh, or nowhere */
	struct endpoint *e;
	uint64_t id, time_ms, next_ms, until_ms;
	size_t bytes;
	uint32_t attempts, lane;
};

struct lane {
	struct endpoint *e;
	struct list waiting;
	struct item *active; /* under way; in no list */
	ev_timer timer;      /* until the first one may be tried again */
	unsigned failed;     /* tries in a row */
};

struct endpoint {
	struct hash_node node;
	struct courier *c;
	uint32_t num, app;
	bool enabled, batch, allow_private;
	bool seen; /* in this list of all */
	bool gone; /* freed when nothing is under way */
	char *url, *headers, *key, *old_key;
	struct sign_key *sign, *old_sign;
	uint64_t old_until; /* Unix seconds until which the old key signs */
	struct lane lanes[ENDPOINT_ALL_LANES];
	/* The batch that is being collected. */
	struct item *open;
	struct buf *events;
	uint32_t count;
	bool extended; /* since it was written */
	ev_timer window;
};

struct endpoint *endpoint_find(const struct courier *, uint32_t num);
/* Makes or changes it. */
void endpoint_set(struct courier *, const struct msg_endpoint *);
/* Forgets those that were not seen since the last call: were there any? */
bool endpoint_sweep(struct courier *);
void endpoint_clear_all(struct courier *);

/*
 * One event: a request of its own, or one more in the batch.  It goes after
 * the next commit.  0, or -1 with outbox_error().
 */
int endpoint_add(struct endpoint *, const struct msg_hook *);
/* Writes the batches as they are now: 0, or -1. */
int endpoint_write_batches(struct courier *);
/* A row that waits; it is queued at once. */
void endpoint_load(struct endpoint *, const struct outbox_row *);
/* What is committed: may go now. */
void endpoint_queue(struct item *);
/* Forgets all that waits (it is in the outbox). */
void endpoint_forget_all(struct courier *);
/* Forgets those that wait of these n rows, which have been deleted. */
void endpoint_drop(struct endpoint *, uint64_t *ids, size_t n);
/* Starts what may go. */
void endpoint_kick(struct endpoint *);
void endpoint_kick_all(struct courier *);
/* For lane.c. */
void item_free(struct item *);
bool endpoint_is_idle(const struct endpoint *);
void endpoint_free(struct endpoint *);
void lane_on_timer(struct ev_loop *, ev_timer *, int);
/* A request has ended; owner is its struct lane. */
void endpoint_on_done(void *owner, const struct deliver_result *);

#endif
