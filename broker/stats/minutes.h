/* SPDX-License-Identifier: MIT */
#ifndef BROKER_STATS_MINUTES_H
#define BROKER_STATS_MINUTES_H

/*
 * Minutes that are over, on their way to the courier's file of statistics
 * (shared/app/stats_db.h).  They are kept until the courier has acknowledged
 * them, up to MINUTES_MAX; then the oldest go.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/app/stats_db.h"
#include "shared/base/list.h"
#include "shared/ipc/ipc_msg.h"
#include "shared/proc/stats.h"

struct broker;
struct broker_app;
struct peer;

#define MINUTES_MAX 32768
#define MINUTES_WINDOW 128 /* that may be unanswered */

/* Of the running minute; now.seconds: how often it was looked at. */
struct minutes_app {
	struct stats_db_row now;
	uint64_t resumed, gaps; /* when it began */
};

struct minutes {
	struct minutes_app all; /* of the whole server */
	struct stats_app last;  /* its counters when the minute began */
	double began;
	struct list sent, unsent; /* struct minute */
	struct list queries;      /* struct minutes_query: of the courier */
	uint64_t nasks;
	size_t n, in_flight;
	uint64_t seq, dropped;
	bool had_courier;
};

void minutes_init(struct broker *);
void minutes_clear(struct broker *);
/* Once a second, for each app; then of the whole server. */
void minutes_see(
    struct broker *, const struct broker_app *, struct minutes_app *);
void minutes_tick(struct broker *, uint64_t connections);
/* The minute that began at `time` is over, for each app; then the server. */
void minutes_end_app(struct broker *, const struct broker_app *,
    const struct stats_app *last, struct minutes_app *, uint64_t time);
void minutes_end(struct broker *, uint64_t time);
/* A courier that runs has not acknowledged all yet. */
bool minutes_wait(const struct broker *);
/* A courier has said HELLO. */
void minutes_on_courier(struct broker *);
/* Handler of MINUTE_ACK. */
int minutes_on_ack(struct peer *, const struct msg_minute_ack *);

#endif
