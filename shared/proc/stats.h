/* SPDX-License-Identifier: MIT */
#ifndef SHARED_PROC_STATS_H
#define SHARED_PROC_STATS_H

/*
 * The counters, made by the preprocessor from stats.def.  A worker counts
 * from zero since its last report (message STATS), the broker adds; gauges
 * and histograms travel in the same structs.  All fields are u64, so that a
 * struct is a row of numbers, too.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Upper bounds in a histogram; larger values count after the last one. */
#define STATS_BOUNDS 16
#define STATS_REASON 80 /* bytes of the reason of a close */

struct stats_hist {
	uint64_t n[STATS_BOUNDS + 1]; /* not cumulative */
	uint64_t sum;                 /* microseconds */
};

/* Microseconds, ascending: 100 us to 10 s, 5 ms to 10 min, 1 s to 4 days. */
extern const uint64_t stats_bounds_short[STATS_BOUNDS];
extern const uint64_t stats_bounds_age[STATS_BOUNDS];
extern const uint64_t stats_bounds_long[STATS_BOUNDS];

/* Counts one value. */
void stats_observe(
    struct stats_hist *, const uint64_t bounds[STATS_BOUNDS], uint64_t us);
/* Values that were counted. */
uint64_t stats_hist_count(const struct stats_hist *);
/*
 * Up to this many microseconds are so many percent (1 to 100) of the values, by
 * a line between the bounds; 0: there are none.
 */
uint64_t stats_hist_quantile(const struct stats_hist *,
    const uint64_t bounds[STATS_BOUNDS], unsigned percent);

enum stats_code {
#define CLOSE_CODE(code, text) STATS_CODE_##code,
#include "shared/proc/stats.def"
	STATS_CODE_OTHER,
	STATS_NCODES
};

/* The index of a WebSocket close code among the counted ones. */
enum stats_code stats_code(unsigned code);
/* The code as text, or "other". */
const char *stats_code_name(enum stats_code);
/* Its meaning, in a word or two. */
const char *stats_code_text(enum stats_code);

/* Of one app, counted by one worker. */
struct stats_app {
#define APP_COUNT(field, name, label, help) uint64_t field;
#define APP_HIST(field, name, bounds, help) struct stats_hist field;
#include "shared/proc/stats.def"
};

/* Of one worker: its counters ... */
struct stats_counts {
#define WORKER_COUNT(field, name, label, help) uint64_t field;
#define WORKER_TIME(field, name, label, help) uint64_t field;
#define WORKER_HIST(field, name, bounds, help) struct stats_hist field;
#include "shared/proc/stats.def"
#define CODES(field, name, help) uint64_t field[STATS_NCODES];
#include "shared/proc/stats.def"
};

/* ... and its gauges. */
struct stats_gauges {
#define WORKER_GAUGE(field, name, label, help) uint64_t field;
#include "shared/proc/stats.def"
	uint64_t turn_max; /* microseconds; the longest since the last time */
};

/* STATS.worker: these bytes. */
struct stats_worker {
	struct stats_counts counts;
	struct stats_gauges gauges;
};

/* STATS.apps and COURIER_STATS.apps: these, next to each other. */
struct stats_row {
	uint64_t app;
	struct stats_app counts;
};

/* Gauges of the broker, and of everything together. */
struct stats_broker {
#define BROKER_COUNT(field, name, label, help) uint64_t field;
#define BROKER_TIME(field, name, label, help) uint64_t field;
#define BROKER_GAUGE(field, name, label, help) uint64_t field;
#include "shared/proc/stats.def"
};

struct stats_broker_hists {
#define BROKER_HIST(field, name, bounds, help) struct stats_hist field;
#include "shared/proc/stats.def"
};
/* Of one certificate; signed numbers. */
struct stats_cert {
#define CERT_GAUGE(field, name, label, help) int64_t field;
#include "shared/proc/stats.def"
};

/* Gauges of one app, and of the link to one worker. */
struct stats_app_now {
#define APP_GAUGE(field, name, label, help) uint64_t field;
#include "shared/proc/stats.def"
};
struct stats_link {
#define LINK_GAUGE(field, name, label, help) uint64_t field;
#include "shared/proc/stats.def"
};

/* The same numbers of an app under soketi's names. */
struct stats_alias {
#define ALIAS(field, name, help) uint64_t field;
#include "shared/proc/stats.def"
};

/* The reason when a client speaks TLS on an address that has none, ... */
#define STATS_CLOSE_TLS "TLS on a listener without TLS"
/* ... or speaks without it on one that has TLS. */
#define STATS_CLOSE_PLAIN "plain HTTP on a listener with TLS"

/* STATS.closes: these, next to each other, the oldest first. */
struct stats_close {
	uint64_t time_ms; /* of the wall clock */
	uint64_t age_ms;
	uint64_t bytes_out;
	uint32_t app; /* 0: none */
	uint16_t code;
	uint8_t by_client;
	uint8_t greeted;
	char peer[64];             /* ends with NUL */
	char reason[STATS_REASON]; /* likewise; UTF-8 */
};

/* The struct to which a line of stats.def belongs. */
enum metric_scope {
	METRIC_APP,         /* struct stats_app */
	METRIC_APP_NOW,     /* struct stats_app_now */
	METRIC_APP_HIST,    /* struct stats_app; a struct stats_hist */
	METRIC_WORKER,      /* struct stats_counts */
	METRIC_GAUGE,       /* struct stats_gauges */
	METRIC_LINK,        /* struct stats_link */
	METRIC_BROKER,      /* struct stats_broker */
	METRIC_HIST,        /* struct stats_counts; a struct stats_hist */
	METRIC_BROKER_HIST, /* struct stats_broker_hists */
	METRIC_CERT,        /* struct stats_cert */
	METRIC_CODES, /* struct stats_counts; an array by enum stats_code */
	METRIC_ALIAS  /* struct stats_alias */
};

/* One line of stats.def. */
struct metric {
	enum metric_scope scope;
	bool seconds; /* microseconds, published as seconds */
	const char *name, *label, *help;
	size_t at;              /* of the field */
	const uint64_t *bounds; /* of a histogram */
};

extern const struct metric stats_metrics[];
extern const size_t stats_nmetrics;

/* "counter", "gauge" or "histogram". */
const char *stats_type(const struct metric *);
/* Does a family begin with this line? */
bool stats_begins_family(size_t i);

/* sum[i] += v[i] */
void stats_add(void *sum, const void *v, size_t bytes);

#endif
