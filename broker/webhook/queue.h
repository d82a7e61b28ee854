/* SPDX-License-Identifier: MIT */
#ifndef BROKER_WEBHOOK_QUEUE_H
#define BROKER_WEBHOOK_QUEUE_H

/*
 * Webhook events on their way to the courier: numbered, kept until it has
 * them on disk, sent again after it has been away.  Each app has a line of its
 * own: lines are served in turn, and an app may hold only as many bytes as are
 * still free, so that a flood of one app neither delays nor drops the events
 * of another.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/hash.h"
#include "shared/base/list.h"
#include "shared/ipc/ipc_msg.h"

struct broker;
struct budget;
struct peer;

/* Bytes that wait for the courier, of all apps. */
#define HOOK_QUEUE_MAX (16u << 20)

/* The events of one app. */
struct hook_line {
	struct hash_node node;
	uint32_t app;
	char *owner;  /* "UUID/ID" of database and app; NULL: not known yet */
	bool changed; /* it has just got another owner */
	struct list turn;      /* in queue->turns when it has unsent ones */
	struct list unsent;    /* struct hook, oldest first */
	struct list early;     /* those that wait for the facts before them */
	struct list droppable; /* those of both that may be dropped */
	struct list untold;    /* facts that wait for room (state.c) */
	struct list blocked;   /* in hooks->untold while some wait */
	size_t n, bytes;       /* also of those that are not acknowledged */
	uint64_t dropped;
};

struct webhook_queue {
	struct hash lines;     /* struct hook_line */
	struct list turns;     /* lines with unsent hooks, the next one first */
	struct list sent;      /* not acknowledged, by number */
	struct list *resend;   /* the first that this courier has not got */
	bool open;             /* facts are known: unsent ones may go */
	uint64_t origin;       /* of this broker process */
	uint64_t seq;          /* of the last one that was sent */
	struct budget *budget; /* where they are booked */
	size_t n, bytes, in_flight;
	uint64_t dropped;
	struct peer *courier; /* NULL: not there */
	bool ready;           /* it takes hooks */
	/* What it last said of itself. */
	uint64_t waiting, dead, outbox_dropped;
	char *trouble;
};

void webhook_queue_init(struct webhook_queue *, struct budget *);
void webhook_queue_clear(struct webhook_queue *);
struct hook_line *webhook_queue_find(
    const struct webhook_queue *, uint32_t app);
/* Made when it is missing. */
struct hook_line *webhook_queue_line(struct webhook_queue *, uint32_t app);
/*
 * Queues a copy.  When the app has no room its oldest events of clients and
 * counts are dropped; all others are kept: ask webhook_queue_make_room()
 * before.
 */
void webhook_queue_put(struct broker *, struct msg_hook *m);
/* Has the app room, after such events of it have been dropped? */
bool webhook_queue_make_room(struct broker *, struct hook_line *);
/* No fact of this app waits: the events behind the facts may go. */
void webhook_queue_release(struct webhook_queue *, struct hook_line *);
/* From now on everything may go. */
void webhook_queue_open(struct webhook_queue *);

/* The courier's link is gone. */
void webhook_queue_lost(struct webhook_queue *);

/* Handlers of COURIER_HELLO, COURIER_STATE, HOOK_ACK. */
int webhook_queue_on_hello(struct peer *, const struct msg_courier_hello *);
int webhook_queue_on_state(struct peer *, const struct msg_courier_state *);
int webhook_queue_on_ack(struct peer *, const struct msg_hook_ack *);

#endif
