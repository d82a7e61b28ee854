/* SPDX-License-Identifier: MIT */
#ifndef BROKER_COURIER_QUEUE_H
#define BROKER_COURIER_QUEUE_H

/*
 * The queues of one endpoint: one for each channel, so that the events of a
 * channel are delivered in order, and a channel that is being retried delays
 * only its own later events.  Batches mix channels: all of an endpoint are in
 * one queue.  Tests have a queue of their own, which nothing delays.
 *
 * At most QUEUE_ACTIVE requests of an endpoint are in progress at a time, and
 * at most QUEUE_RETRIES of them are not the first attempt.
 */

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/hash.h"
#include "shared/base/list.h"

#define QUEUE_ACTIVE 8
#define QUEUE_RETRIES 4

/* Keys of queues; all others are hashes of channel names. */
#define QUEUE_BATCHES 0
#define QUEUE_TESTS 1

/* A request: a row of the outbox that waits or is in progress. */
struct delivery {
	struct list link; /* in queue->waiting, or in a list of the owner */
	struct queue *queue;
	uint64_t id, time_ms, next_ms, until_ms;
	size_t bytes;
	uint64_t owner; /* hash of "UUID/ID"; see endpoint_owns() */
	uint32_t attempts;
	uint32_t app; /* in progress: whose share of all it takes */
	bool again;   /* in progress: this is not the first attempt */
};

struct queue {
	struct hash_node node;
	uint64_t key;
	struct queues *of;
	struct list link;        /* in of->ready when its first one may go */
	struct list waiting;     /* deliveries, oldest first */
	struct delivery *active; /* in progress; in no list */
	ev_timer timer;          /* until the first one may be tried again */
	uint32_t n;              /* deliveries with this queue */
	uint32_t failed;         /* attempts in a row */
};

enum queue_ready { QUEUE_TEST, QUEUE_AGAIN, QUEUE_FIRST, QUEUE_READY };

struct queues {
	struct ev_loop *loop;
	/* A delivery that waited for its time may start now. */
	void (*on_ready)(struct queues *);
	struct hash by_key;
	struct list ready[QUEUE_READY]; /* struct queue */
	uint32_t active, retries;       /* in progress, without tests */
	uint32_t testing;
	uint32_t resting; /* so many less of QUEUE_ACTIVE for now */
};

void queues_init(
    struct queues *, struct ev_loop *, void (*on_ready)(struct queues *));
/* Frees all deliveries that are in a queue and not in progress. */
void queues_forget(struct queues *);
/* Frees those that are in progress, too. */
void queues_clear(struct queues *);
bool queues_are_idle(const struct queues *);
/* Frees the waiting deliveries with these n ids; sorts the ids. */
void queues_drop(struct queues *, uint64_t *ids, size_t n);
struct queue *queues_find(const struct queues *, uint64_t key);
/* The next delivery that may start now, or NULL. */
struct delivery *queues_next(const struct queues *);

/*
 * Makes a delivery for this queue, in no list yet.  While batches wait, events
 * of channels are queued after them.
 */
struct delivery *delivery_new(struct queues *, uint64_t key);
void delivery_free(struct delivery *);
/* Appends the delivery to its queue. */
void delivery_queue(struct delivery *);
/* The delivery has started. */
void delivery_start(struct delivery *);
/* The delivery is tried again at next_ms, before all others. */
void delivery_again(struct delivery *);

#endif
