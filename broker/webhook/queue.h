/* SPDX-License-Identifier: MIT */
#ifndef BROKER_WEBHOOK_QUEUE_H
#define BROKER_WEBHOOK_QUEUE_H

/*
 * Webhook events on their way to the courier: numbered, kept until the courier
 * has them on disk, and sent again to a new courier.  Each app has a line of
 * its own.  Lines are served in turn, and an app may use only half of the
 * bytes that are free, so that a flood from one app neither delays nor drops
 * the events of another.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/hash.h"
#include "shared/base/list.h"
#include "shared/ipc/ipc_msg.h"
#include "shared/pusher/webhook.h"

struct broker;
struct budget;
struct peer;

/* Bytes that wait for the courier, of all apps. */
#define HOOK_QUEUE_MAX (16u << 20)

/* The events of one app. */
struct webhook_line {
	struct hash_node node;
	uint32_t app;
	char *owner;  /* "UUID/ID" of database and app; empty: no such app */
	bool changed; /* the last update gave it another owner */
	struct list turn;      /* in queue->turns when it has unsent ones */
	struct list unsent;    /* struct hook, oldest first */
	struct list early;     /* wait for the states before them */
	struct list droppable; /* hooks of both that may be dropped */
	struct list pending;   /* states that wait for room (state.c) */
	struct list blocked;   /* in states->pending while some wait */
	size_t n, bytes;       /* includes unacknowledged ones */
	uint64_t dropped;
};

struct webhook_queue {
	struct hash lines;   /* struct webhook_line */
	struct list turns;   /* lines with unsent hooks, the next one first */
	struct list sent;    /* not acknowledged, by number */
	struct list *resend; /* the first that this courier has not got */
	bool open;           /* states are synced: hooks may be sent */
	uint64_t origin;     /* of this broker process */
	uint64_t seq;        /* of the last one that was sent */
	/*
	 * In a cluster.  silent: another host sends the webhooks; place: in the
	 * stream, of the next event; stored(): this host has an event on disk.
	 */
	bool silent;
	uint64_t place;
	uint64_t mark; /* of the entry of the stream; 0: there is none */
	void (*stored)(void *, const struct msg_hook *, uint64_t place);
	void *stored_arg;
	struct budget *budget; /* counts their bytes */
	size_t n, bytes, in_flight;
	uint64_t dropped;
	struct peer *courier; /* NULL: no courier */
	bool ready;           /* the courier takes hooks */
	/* From its last COURIER_STATE. */
	uint64_t waiting, dead, outbox_dropped;
	char *trouble;
};

void webhook_queue_init(struct webhook_queue *, struct budget *);
void webhook_queue_clear(struct webhook_queue *);
/* The line of this app, or NULL. */
struct webhook_line *webhook_queue_find(
    const struct webhook_queue *, uint32_t app);
/* The line of this app, with its owner; made if it is missing. */
struct webhook_line *webhook_queue_line(struct broker *, uint32_t app);
/* Gives each line the present owner of its app; see webhook_line.changed. */
void webhook_queue_update_owners(struct broker *);
/*
 * Fills in the time and a missing owner, and queues a copy.  If the app has no
 * room, its oldest client events and counts are dropped.  All other events are
 * kept: call webhook_queue_make_room() first.
 */
void webhook_queue_put(struct broker *, struct msg_hook *m);
/* In a cluster: gives the event its id.  mark: see webhook_put_id(). */
void webhook_queue_put_id(struct broker *, struct buf **event,
    const struct msg_hook *, uint64_t mark);
/* True if the app has room, after droppable events have been dropped. */
bool webhook_queue_make_room(struct broker *, struct webhook_line *);
/* The courier is ready for events; in_flight starts again at 0. */
void webhook_queue_start(struct webhook_queue *);
/* The courier's link is gone. */
void webhook_queue_lost(struct webhook_queue *);
/* The courier has everything up to seq on disk; -1: it was never sent that. */
int webhook_queue_acked(struct webhook_queue *, uint64_t seq);
/* No state of this app is pending: the events after them may be sent. */
void webhook_queue_release(struct webhook_queue *, struct webhook_line *);
/* From now on all events may be sent. */
void webhook_queue_open(struct webhook_queue *);
/*
 * Another host sends the webhooks: client events and counts are kept; or this
 * host does: they are sent now.
 */
void webhook_queue_set_silent(struct webhook_queue *, bool silent);
/*
 * Another host has reported a client event of the app, and all with an earlier
 * place; or, with a channel, its count.
 */
void webhook_queue_notified(struct webhook_queue *, uint32_t app,
    enum webhook_kind, uint64_t place, struct str channel);

#endif
