/* SPDX-License-Identifier: MIT */
#ifndef BROKER_HISTORY_H
#define BROKER_HISTORY_H

/*
 * What happened: the last 1,000 connections that ended, and what each minute
 * brought.  It lives in memory and ends with the broker process.
 */

#include <stdint.h>

#include "shared/stats.h"

struct broker;

#define HISTORY_CLOSES 1000
#define HISTORY_MINUTES 1440   /* of the whole server */
#define HISTORY_APP_MINUTES 60 /* of one app */
#define HISTORY_APP_HOURS 24

/* The columns of a minute or an hour, one line each: field, unit. */
#define HISTORY_FIELDS(X) \
	X(connections) /* at most, at one time */ \
	X(opened) \
	X(closed) \
	X(refused) /* server only */ \
	X(messages_in) \
	X(messages_out) \
	X(bytes_in) \
	X(bytes_out) \
	X(published) \
	X(delivered) \
	X(api) \
	X(slow)        /* closed for reading too slowly */ \
	X(cpu_us)      /* server only: all processes */ \
	X(turn_max_us) /* server only: the longest turn of a loop */

struct history_row {
	uint64_t time; /* when it began: seconds since 1970 */
#define X(field) uint64_t field;
	HISTORY_FIELDS(X)
#undef X
};

/* The last rows, the oldest at `first`. */
struct history_series {
	struct history_row *v; /* NULL until the first */
	uint32_t cap, n, first;
};

/* Of one app; NULL in struct broker_app until something happens there. */
struct history_app {
	struct history_series minutes, hours;
	struct stats_app last; /* its counters when this minute began */
	uint64_t peak;         /* connections in this minute */
};

struct history {
	struct history_series minutes;
	struct history_row last; /* the counters when this minute began */
	uint64_t minute;         /* since 1970 */
	uint64_t peak;
	struct stats_close *closes; /* HISTORY_CLOSES, a ring */
	uint32_t nclosed, first;
};

void history_init(struct broker *);
void history_clear(struct broker *);
void history_app_free(struct history_app *);
/* Once a second. */
void history_tick(struct broker *);
/* A connection ended; the bytes come from a worker and are made safe. */
void history_closed(struct broker *, const struct stats_close *);
/* The i-th row from the oldest; i < s->n. */
const struct history_row *history_row(
    const struct history_series *, uint32_t i);

#endif
