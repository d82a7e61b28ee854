/* SPDX-License-Identifier: MIT */
#ifndef WORKER_CHANNEL_TOPIC_H
#define WORKER_CHANNEL_TOPIC_H

/*
 * A channel as one worker sees it: the dense array of its confirmed
 * subscribers, and its roster.  It hands bytes to conn_queue(); the broker
 * holds the authoritative state.
 */

#include <stdint.h>

#include "shared/base/hash.h"
#include "shared/base/str.h"
#include "shared/ipc/ipc_msg.h"

struct conn;
struct worker;

struct topic_entry {
	struct conn *c;
	uint32_t *index; /* where the subscription keeps its place */
};

struct topic {
	struct hash_node node;
	uint32_t app;
	uint32_t refs;    /* subscriptions, including pending ones */
	uint32_t n, cap;  /* entries */
	uint32_t packing; /* of them: connections with permessage-deflate */
	struct topic_entry *v;
	struct context *context; /* see worker/conn/variants.h; or NULL */
	struct roster *roster;   /* presence channels, or NULL */
	size_t name_len;
	char name[];
};

static inline struct str
topic_name(const struct topic *t)
{
	return str_make(t->name, t->name_len);
}

struct topic *topic_find(struct worker *, uint32_t app, struct str name);
/* Finds or makes the topic and takes a reference for a subscription. */
struct topic *topic_get(struct worker *, uint32_t app, struct str name);
/* Releases the reference; the last one frees the topic. */
void topic_unref(struct worker *, struct topic *);
/*
 * The subscription is confirmed: it gets every later event.  *index is its
 * place and is updated until topic_remove().  O(1).
 */
void topic_add(struct topic *, struct conn *, uint32_t *index);
/* O(1): the last entry takes its place. */
void topic_remove(struct topic *, uint32_t index);
bool topic_has_roster(struct worker *, uint32_t app, struct str name);
void topic_forget_roster(struct topic *);
/* Sends each roster to a new broker. */
void topics_replay_rosters(struct worker *);

/* The cost of an event of n bytes: see worker/conn/input.h. */
size_t topic_event_cost(const struct topic *, size_t n);
/*
 * Its deliveries by this worker, one of many bytes as several: what the event
 * costs when the broker sends it.
 */
uint32_t topic_fanout(struct worker *, const struct msg_event *);

/* EVENT: to every subscriber except m->except. */
void topic_on_event(struct worker *, const struct msg_event *m);
/* RECEIPT: says who has got the event before it. */
int topic_on_receipt(struct worker *, const struct msg_receipt *);
int topic_on_roster(struct worker *, const struct msg_roster *);
int topic_on_member(struct worker *, const struct msg_member *);

#endif
