/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CORE_CORE_H
#define BROKER_CORE_CORE_H

/*
 * The context of the broker process.  It holds only pointers; broker.c
 * allocates their targets.  A module includes the headers of the modules that
 * it uses.
 */

#include <stdint.h>

#include "shared/proc/proc.h"

struct broker_apps;
struct budget;
struct buf;
struct cache;
struct idempotency;
struct cluster;
struct channel_events;
struct conf;
struct console;
struct control;
struct control_jobs;
struct departures;
struct ev_loop;
struct all_failures;
struct history;
struct minutes;
struct webhook_endpoints;
struct webhook_queue;
struct webhook_states;
struct inherit;
struct last_closes;
struct link_table;
struct master_link;
struct parts;
struct peer;
struct event_order;
struct queries;
struct receipts;
struct registry;
struct replay;
struct resync;
struct route_taps;
struct scrapes;
struct slot_move;
struct totals;
struct suspects;
struct subscription_counts;
struct users;

struct broker {
	const struct inherit *inherit; /* NULL in unit tests */
	const struct conf *conf;
	struct ev_loop *loop;
	struct parts *parts; /* the targets of the pointers below */

	struct event_order
	    *event_order;    /* state for the next broker, or NULL */
	uint64_t id;         /* random; names this process */
	double started;      /* broker_now() */
	uint64_t stamp;      /* of the last subscription, in time order */
	uint64_t nevents;    /* that workers sent */
	struct buf *scratch; /* see broker_scratch() */

	struct peer *sender; /* of the message that is being handled */
	unsigned ntaps;      /* observers of passing events; see route.h */
	unsigned nslots;     /* room for workers; conf->nworkers are expected */
	struct peer *peers[PROC_MAX_WORKERS]; /* by slot, after HELLO */
	uint64_t dying; /* slots that no other worker may have yet */
	/* In a cluster: the end of a worker of this slot is in the stream. */
	uint64_t leaving;
	bool applying; /* an entry of the stream: nothing is refused */

	struct link_table *links;
	struct resync *resync;
	struct slot_move *slot_move; /* the last one */
	struct budget *budget;       /* of the memory, by app */
	struct broker_apps *apps;
	struct idempotency *idempotency;
	struct registry *registry;
	const struct channel_events *events; /* the observer of the channels */
	struct route_taps *taps;
	struct cache *cache;
	struct replay *replay; /* logs, and sessions that resume */
	struct suspects *suspects;
	struct departures *departures;
	struct subscription_counts *subscription_counts;
	struct users *users;
	struct queries *queries;
	struct receipts *receipts;
	struct webhook_endpoints *endpoints;
	struct webhook_queue *webhook_queue;
	struct webhook_states *webhook_states;
	struct totals *totals;
	struct last_closes *closes;
	struct all_failures *failures;
	struct history *history;
	struct minutes *minutes;
	struct scrapes *scrapes;
	struct control *control;
	struct console *console;
	struct cluster *cluster; /* NULL: the host is alone */
	struct control_jobs *control_jobs;
	struct master_link *master_link;
};

/* Seconds of the monotonic clock. */
double broker_now(void);
/* An empty buf to build one answer in; valid until the next call. */
struct buf **broker_scratch(struct broker *);

#endif
