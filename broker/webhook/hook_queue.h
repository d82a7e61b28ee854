/* SPDX-License-Identifier: MIT */
#ifndef BROKER_WEBHOOK_HOOK_QUEUE_H
#define BROKER_WEBHOOK_HOOK_QUEUE_H

/*
 * Webhook events on their way to the courier: numbered, kept until it has
 * them on disk, sent again after it has been away.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/list.h"
#include "shared/ipc/ipc_msg.h"

struct broker;
struct peer;

/* Bytes that wait for the courier; above it see hook_queue_put(). */
#define HOOK_QUEUE_MAX (16u << 20)

struct hook_queue {
	struct list all;       /* struct hook, oldest first */
	struct list droppable; /* those of them that may go */
	struct list *unsent;   /* the first that was not sent; &all: none */
	uint64_t origin;       /* of this broker process */
	uint64_t seq;          /* of the last one */
	size_t n, bytes, in_flight;
	uint64_t dropped;
	struct peer *courier; /* NULL: not there */
	bool ready;           /* it takes hooks */
	/* What it last said of itself. */
	uint64_t waiting, dead, outbox_dropped;
	char *trouble;
};

void hook_queue_init(struct hook_queue *);
void hook_queue_clear(struct hook_queue *);
/*
 * Queues a copy under the next number (m->seq is set).  Events of clients
 * and counts may be dropped, the oldest first, when there is no room; all
 * others are kept whatever happens: ask hook_queue_has_room() before.
 */
void hook_queue_put(struct hook_queue *, struct msg_hook *m);
bool hook_queue_has_room(const struct hook_queue *);

/* The courier's link is gone. */
void hook_queue_lost(struct hook_queue *);

/* Handlers of COURIER_HELLO, COURIER_STATE, HOOK_ACK. */
int hook_queue_on_hello(struct peer *, const struct msg_courier_hello *);
int hook_queue_on_state(struct peer *, const struct msg_courier_state *);
int hook_queue_on_ack(struct peer *, const struct msg_hook_ack *);

#endif
