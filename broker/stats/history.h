/* SPDX-License-Identifier: MIT */
#ifndef BROKER_STATS_HISTORY_H
#define BROKER_STATS_HISTORY_H

/*
 * The last 1,000 connections that ended, and the numbers of each minute.  The
 * minutes of the whole server outlive this process (shared/proc/minute_log.h);
 * those of apps and the connections end with it.
 */

#include <stdint.h>

#include "broker/stats/minutes.h"
#include "shared/proc/minute_log.h"
#include "shared/proc/stats.h"

struct broker;
struct broker_app;

#define HISTORY_MINUTES MINUTE_LOG_ROWS /* of the whole server */
#define HISTORY_APP_MINUTES 60          /* of one app */
#define HISTORY_APP_HOURS 24

/* The last rows, the oldest at `first`. */
struct history_series {
	struct minute_log_row *v; /* NULL until the first */
	uint32_t cap, n, first;
};

/* Of one app; NULL in struct broker_app until something happens there. */
struct history_app {
	struct minutes_app over_time; /* see minutes.h */
	struct history_series minutes, hours;
	struct stats_app last; /* its counters when this minute began */
	uint64_t peak;         /* connections in this minute */
};

struct history {
	struct history_series minutes;
	struct minute_log_row last;  /* the counters when this minute began */
	struct minute_log_row begun; /* the previous process's part of it */
	uint64_t minute;             /* since 1970 */
	uint64_t peak;
};

void history_init(struct broker *);
/* Takes over the minutes of the previous process (br->inherit). */
void history_recall(struct broker *);
void history_clear(struct broker *);
/* The app is gone: its running minute is the last. */
void history_forget_app(struct broker *, struct broker_app *);
/* Once a second. */
void history_tick(struct broker *);
/* The broker ends: the running minute goes to the courier. */
void history_end(struct broker *);
/* The current minute, of the whole server (NULL) or of one app. */
void history_running(
    struct broker *, const struct broker_app *, struct minute_log_row *);
/*
 * Events that were published in the last minutes, at most HISTORY_APP_MINUTES,
 * the current one included: of the whole server (NULL) or of one app.
 */
uint64_t history_published(
    struct broker *, const struct broker_app *, unsigned minutes);
/* The i-th row from the oldest; i < s->n. */
const struct minute_log_row *history_row(
    const struct history_series *, uint32_t i);

#endif
