/* SPDX-License-Identifier: MIT */
#ifndef BROKER_STATS_TOTALS_H
#define BROKER_STATS_TOTALS_H

/*
 * The sums of the workers' counters, and the broker's own measurements.
 * Counters begin at zero with the broker process; they survive the death of a
 * worker, except what it had not reported yet (at most a second).  Gauges are
 * those of the living workers.
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

#define TOTALS_WAIT 1. /* seconds that a worker has to answer */

/* Of one worker slot. */
struct totals_slot {
	struct stats_counts counts; /* of all its processes */
	struct stats_app apps;      /* likewise, of all apps together */
	struct stats_gauges gauges; /* of the last report */
	uint64_t starts;            /* processes */
};

struct totals {
	struct totals_slot *slots;
	struct stats_broker_hists hists;
	uint64_t courier_cpu;    /* microseconds, of all its processes */
	uint64_t courier_memory; /* of the last report */
	uint64_t turn_max;       /* microseconds; the longest of this minute */
	uint64_t woke;           /* microseconds; 0: between two turns */
	struct stats_app others; /* of all apps, not counted by workers */
	uint64_t started;        /* microseconds since 1970 */
	struct memory memory;
	struct list waiting; /* struct totals_wait */
	ev_check check;
};

/* A caller that waits for fresh numbers. */
struct totals_wait {
	struct list link; /* in br->totals->waiting */
	uint64_t ping, slots;
	double due;
	void (*done)(struct broker *, struct totals_wait *);
};

void totals_init(struct broker *);
void totals_clear(struct broker *);
/* The end of a turn. */
void totals_turn_ends(struct broker *);

/*
 * Asks every worker.  Calls wait->done once, when all have answered or
 * TOTALS_WAIT has passed; perhaps before it returns.  wait stays the caller's,
 * who takes it back with totals_forget().
 */
void totals_ask(struct broker *, struct totals_wait *wait);
/* Has no effect if it does not wait. */
void totals_forget(struct totals_wait *);
/* The worker has answered this ping; UINT64_MAX: it is gone. */
void totals_on_pong(struct broker *, unsigned slot, uint64_t id);
/* Once a second. */
void totals_tick(struct broker *);
/* A worker has said HELLO; is_new: another process than before. */
void totals_on_hello(struct peer *, bool is_new);
/* Handler of STATS. */
int totals_on_stats(struct peer *, const struct msg_stats *);

/* Handler of COURIER_STATS. */
int totals_on_courier(struct peer *, const struct msg_courier_stats *);
/* The courier's link is gone. */
void totals_courier_lost(struct broker *);

/* There is, or was, a worker in this slot: it has a row everywhere. */
bool totals_has_worker(const struct broker *, unsigned slot);
/* The counters of all apps together. */
void totals_sum_apps(const struct broker *, struct stats_app *);
/* The present gauges. */
void totals_now_broker(struct broker *, struct stats_broker *);
void totals_now_app(
    const struct broker *, uint32_t app, struct stats_app_now *);
void totals_now_link(const struct broker *, unsigned slot, struct stats_link *);

#endif
