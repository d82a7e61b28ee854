/* SPDX-License-Identifier: MIT */
#ifndef SHARED_APP_STATS_DB_H
#define SHARED_APP_STATS_DB_H

/*
 * Statistics over time (SQLite, WAL): what an app, or the whole server (app
 * ""), did in each minute of the last 48 hours and in each hour of the last 13
 * months.  All times are UTC.  The courier writes, pusherctl reads.
 *
 * Unless stated otherwise, functions return 0, or -1 with stats_db_error():
 * then the caller calls stats_db_close(), which rolls back.
 */

#include <stdbool.h>
#include <stdint.h>

#include "shared/base/str.h"

/*
 * The columns, in the order in which they are shown.  A new one is added to an
 * older file when that is opened for writing.
 *
 * SUM(column, 0)            adds up; broker/stats/minutes.c fills it
 * PEAK(column, 0)           likewise; of a period the highest value counts
 * GROWTH(column, counters)  adds up: how much these counters of `s`, a struct
 *                           stats_app, have grown
 * BUCKET(column, counter)   likewise; of a histogram, shown as quantiles
 */
#define STATS_DB_FIELDS(SUM, PEAK, GROWTH, BUCKET) \
	SUM(seconds, 0) \
	SUM(connection_seconds, 0) \
	PEAK(connections, 0) \
	PEAK(subscriptions, 0) \
	PEAK(channels, 0) \
	GROWTH(opened, s->opened) \
	GROWTH(closed, s->ended) \
	GROWTH(closed_normal, s->closed_normal) \
	GROWTH(closed_lost, s->closed_lost) \
	GROWTH(closed_busy, s->closed_busy) \
	GROWTH(closed_reconnect, s->closed_reconnect) \
	GROWTH(closed_error, s->closed_error) \
	GROWTH(slow, s->slow) \
	GROWTH(messages_in, s->messages_in) \
	GROWTH(messages_out, s->messages_out) \
	GROWTH(bytes_in, s->bytes_in) \
	GROWTH(bytes_out, s->bytes_out) \
	GROWTH(compressed_raw, s->packed_raw) \
	GROWTH(compressed_sent, s->packed_sent) \
	GROWTH(published, s->events_api + s->events_client + s->events_ctl) \
	GROWTH(client_events, s->events_client) \
	GROWTH(delivered, s->deliveries) \
	GROWTH(api_2xx, s->api_2xx) \
	GROWTH(api_4xx, s->api_4xx) \
	GROWTH(api_5xx, s->api_5xx) \
	GROWTH(webhooks_ok, s->webhooks_ok) \
	GROWTH(webhooks_failed, s->webhooks_failed) \
	SUM(resumed, 0) \
	SUM(gaps, 0) \
	BUCKET(confirmed_0, s->confirmed.n[0]) \
	BUCKET(confirmed_1, s->confirmed.n[1]) \
	BUCKET(confirmed_2, s->confirmed.n[2]) \
	BUCKET(confirmed_3, s->confirmed.n[3]) \
	BUCKET(confirmed_4, s->confirmed.n[4]) \
	BUCKET(confirmed_5, s->confirmed.n[5]) \
	BUCKET(confirmed_6, s->confirmed.n[6]) \
	BUCKET(confirmed_7, s->confirmed.n[7]) \
	BUCKET(confirmed_8, s->confirmed.n[8]) \
	BUCKET(confirmed_9, s->confirmed.n[9]) \
	BUCKET(confirmed_10, s->confirmed.n[10]) \
	BUCKET(confirmed_11, s->confirmed.n[11]) \
	BUCKET(confirmed_12, s->confirmed.n[12]) \
	BUCKET(confirmed_13, s->confirmed.n[13]) \
	BUCKET(confirmed_14, s->confirmed.n[14]) \
	BUCKET(confirmed_15, s->confirmed.n[15]) \
	BUCKET(confirmed_16, s->confirmed.n[16])

struct stats_db_row {
#define X(field, of) uint64_t field;
	STATS_DB_FIELDS(X, X, X, X)
#undef X
};

#define STATS_DB_MINUTES (48 * 3600)     /* seconds that minutes are kept */
#define STATS_DB_HOURS (395 * 24 * 3600) /* the same for hours */
/* Above so many bytes the oldest rows are removed. */
#define STATS_DB_BYTES (256u << 20)

struct stats_db;

/* "stats.db" beside the outbox; free(3) it. */
char *stats_db_path(const char *outbox);
enum stats_db_mode {
	STATS_DB_READ,
	STATS_DB_WRITE, /* makes a missing file (mode 0600) */
	STATS_DB_TRY    /* reads, and waits no longer than the writer does */
};
/* NULL and *why: free(3) it. */
struct stats_db *stats_db_open(
    const char *path, enum stats_db_mode, char **why);
void stats_db_close(struct stats_db *);
const char *stats_db_error(const struct stats_db *);

/*
 * Adds a minute (its start: seconds since 1970) to the rows of the minute and
 * of its hour.  A minute whose number is not above the last one of the same
 * origin is already there, and is left out.
 */
struct stats_db_minute {
	uint64_t origin, seq, time;
	struct str app;
	struct stats_db_row row;
};
int stats_db_add(struct stats_db *, const struct stats_db_minute *);
/* Also removes some of the rows that are too old at this time. */
int stats_db_commit(struct stats_db *, uint64_t now);

/* It has rows of this app. */
bool stats_db_knows(struct stats_db *, struct str app);
/*
 * Calls back for each period of `step` seconds (60, 3600 or 86400) from `from`
 * on that has rows of the app, by time.  counted: the seconds of it in which
 * the server counted.
 */
typedef void (*stats_db_fn)(
    void *arg, uint64_t time, uint64_t counted, const struct stats_db_row *);
struct stats_db_query {
	struct str app;
	uint64_t step, from, to; /* to: 0, or the first that is too late */
};
int stats_db_each(
    struct stats_db *, const struct stats_db_query *, stats_db_fn, void *arg);

#endif
