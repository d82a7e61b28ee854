/* SPDX-License-Identifier: MIT */
#ifndef SHARED_PROC_EVENT_ORDER_H
#define SHARED_PROC_EVENT_ORDER_H

/*
 * The order in which the broker has taken the messages of workers, in memory
 * that outlives it: it may have passed the resulting events to some workers and
 * not to others, which must get them in the same order from the next broker.
 * In a cluster the stream has the order, and this is the last entry read.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Number of remembered runs: 1 MiB. */
#define ORDER_MAX 65536

/* Consecutive events of one worker (origin): seq first ... first + n. */
struct order_run {
	uint64_t origin, first;
	uint32_t n;
};

/* The place of a message; smaller is earlier. */
#define ORDER_OLDER 0         /* taken, before all remembered runs */
#define ORDER_NONE UINT32_MAX /* not taken, as far as is known */

/* A place in the stream of a cluster: its entry.  n 0: none. */
struct order_place {
	char id[48]; /* as Redis gives it */
	uint64_t n;  /* number of the entry */
};

enum order_reach {
	ORDER_APPLIED, /* no worker has been sent anything behind it */
	ORDER_PASSED   /* all workers have been sent all up to it */
};

struct event_order;

/* Before there are children; NULL with errno. */
struct event_order *event_order_map(void);
/*
 * Only the broker: the worker with this origin has got, or will get, every
 * event since its clients came; 0: the worker in this slot may have missed
 * some.  It outlives the broker, so that its successor can tell the worker.
 */
void event_order_set_complete(
    struct event_order *, unsigned slot, uint64_t origin);
/* NULL: yes. */
bool event_order_is_complete(
    const struct event_order *, unsigned slot, uint64_t origin);
/* Only the broker: the host leaves its cluster, and no successor joins it. */
void event_order_set_left(struct event_order *);
bool event_order_has_left(const struct event_order *);
/* Why a broker has ended, so that its successor joins the cluster anew. */
enum order_rejoin {
	REJOIN_DECLARED_DEAD, /* it was silent for longer than its lease */
	REJOIN_LOST,          /* Redis lacks entries that it has read, */
	REJOIN_MISSING, /* ... or has dropped some before they were read */
	ORDER_REJOINS
};
/* Only the broker: counts it, modulo 65,536. */
void event_order_rejoin(struct event_order *, enum order_rejoin);
/* How often that was, of all brokers of this server.  NULL: never. */
unsigned event_order_rejoins(const struct event_order *, enum order_rejoin);
/* Only the broker: this event is taken now.  NULL: nothing is recorded. */
void event_order_add(struct event_order *, uint64_t origin, uint64_t seq);
/* Only the broker, in a cluster: it has come so far.  NULL: nothing happens. */
void event_order_set_place(
    struct event_order *, enum order_reach, const struct order_place *);
/* How far it, or the one before it, has come.  NULL: nowhere. */
struct order_place event_order_place(
    const struct event_order *, enum order_reach);
/* The runs, oldest first; free(3) them.  NULL: there are none. */
struct order_run *event_order_get(const struct event_order *, size_t *n);
/*
 * The place of this message among n runs.  *at: 0 for the first message of an
 * origin, then left alone; its messages are asked for in their order.
 */
uint32_t event_order_find(const struct order_run *, size_t n, uint32_t *at,
    uint64_t origin, uint64_t seq);

#endif
