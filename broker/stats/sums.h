/* SPDX-License-Identifier: MIT */
#ifndef BROKER_STATS_SUMS_H
#define BROKER_STATS_SUMS_H

/*
 * What the workers have counted, added up, and what the broker measures of
 * itself.  Counters begin at zero with the broker process; they survive the
 * death of a worker, but for what it had not said yet (at most a second).
 * Gauges are those of the living.
 */

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "shared/base/list.h"
#include "shared/ipc/ipc_msg.h"
#include "shared/proc/memory.h"
#include "shared/proc/stats.h"

struct broker;
struct peer;

#define SUMS_WAIT 1. /* seconds that a worker has for its answer */

/* Of one worker slot. */
struct sums_slot {
	struct stats_counts counts; /* of all its processes */
	struct stats_app apps;      /* likewise, of all apps together */
	struct stats_gauges gauges; /* of the last report */
	uint64_t starts;            /* processes */
};

struct sums {
	struct sums_slot *slots;
	struct stats_broker_hists hists;
	uint64_t courier_cpu;    /* microseconds, of all its processes */
	uint64_t courier_memory; /* of the last report */
	uint64_t turn_max;       /* microseconds; the longest of this minute */
	uint64_t woke;           /* microseconds; 0: between two turns */
	uint64_t events_ctl;     /* published by pusherctl */
	uint64_t started;        /* microseconds since 1970 */
	struct memory memory;
	struct list waiting; /* struct sums_wait */
	ev_check check;
};

/* Somebody waits for fresh numbers. */
struct sums_wait {
	struct list link; /* in br->sums->waiting */
	uint64_t ping, slots;
	double due;
	void (*done)(struct broker *, struct sums_wait *);
};

void sums_init(struct broker *);
void sums_clear(struct broker *);
/* The end of a turn. */
void sums_turn_ends(struct broker *);

/*
 * Asks every worker.  wait->done is called once, when all have answered or
 * SUMS_WAIT has passed; perhaps at once.  wait stays the caller's, who takes
 * it back with sums_forget().
 */
void sums_ask(struct broker *, struct sums_wait *wait);
/* Harmless when it does not wait. */
void sums_forget(struct sums_wait *);
/* The worker has answered this ping; UINT64_MAX: it is gone. */
void sums_on_pong(struct broker *, unsigned slot, uint64_t id);
/* Once a second. */
void sums_tick(struct broker *);
/* A worker has said HELLO; is_new: another process than before. */
void sums_on_hello(struct peer *, bool is_new);
/* Handler of STATS. */
int sums_on_stats(struct peer *, const struct msg_stats *);

/* Handler of COURIER_STATS. */
int sums_on_courier(struct peer *, const struct msg_courier_stats *);
/* The courier's link is gone. */
void sums_courier_lost(struct broker *);

/* There is, or was, a worker of this slot: it has a row everywhere. */
bool sums_has_worker(const struct broker *, unsigned slot);
/* The truth of this moment. */
void sums_now_broker(struct broker *, struct stats_broker *);
void sums_now_app(const struct broker *, uint32_t app, struct stats_app_now *);
void sums_now_link(const struct broker *, unsigned slot, struct stats_link *);

#endif
