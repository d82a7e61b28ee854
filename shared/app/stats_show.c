/* SPDX-License-Identifier: MIT */
/*
 * stats_show.c: the shown columns of statistics over time: those of the file,
 * and what is calculated from them.  `pusherctl stats --since`, the console and
 * GET /apps/{id}/stats show the same.  Pure.
 */

#include "shared/app/stats_show.h"

#include <inttypes.h>
#include <time.h>

#include "shared/base/base.h"
#include "shared/base/buf.h"
#include "shared/proc/stats.h"

#define NAME(f, of) " " #f
#define NONE(f, of)
const char stats_show_columns[] = "time connections_mean" STATS_DB_FIELDS(
    NAME, NAME, NAME, NONE) " confirmed_p50_us confirmed_p99_us";

void
stats_show_row(
    const struct stats_db_row *r, uint64_t counted, stats_show_fn fn, void *arg)
{
	uint64_t most = MAX(MAX(counted, r->seconds), 1);
	struct stats_hist confirmed = {
#define BUCKET(f, of) r->f,
		{ STATS_DB_FIELDS(NONE, NONE, NONE, BUCKET) }, 0
	};

	fn(arg, "connections_mean", (r->connection_seconds + most / 2) / most);
#define SHOW(f, of) fn(arg, #f, r->f);
	STATS_DB_FIELDS(SHOW, SHOW, SHOW, NONE)
	fn(arg, "confirmed_p50_us",
	    stats_hist_quantile(&confirmed, stats_bounds_short, 50));
	fn(arg, "confirmed_p99_us",
	    stats_hist_quantile(&confirmed, stats_bounds_short, 99));
}

void
stats_show_time(char text[STATS_SHOW_TIME], uint64_t seconds)
{
	time_t t = (time_t)seconds;
	struct tm tm = { 0 };

	gmtime_r(&t, &tm);
	strftime(text, STATS_SHOW_TIME, "%Y-%m-%dT%H:%MZ", &tm);
}

void
stats_show_csv_head(struct buf **b)
{
	for (const char *p = stats_show_columns; *p != '\0'; p++)
		buf_append(b, *p == ' ' ? S(",") : str_make(p, 1));
}

static void
put_csv(void *arg, const char *column, uint64_t v)
{
	buf_printf(arg, ",%" PRIu64, v);
}

void
stats_show_csv(struct buf **b, uint64_t time, uint64_t counted,
    const struct stats_db_row *r)
{
	char text[STATS_SHOW_TIME];

	stats_show_time(text, time);
	buf_printf(b, "\n%s", text);
	stats_show_row(r, counted, put_csv, b);
}

static void
put_json(void *arg, const char *column, uint64_t v)
{
	buf_printf(arg, ",\"%s\":%" PRIu64, column, v);
}

void
stats_show_json(struct buf **b, uint64_t time, uint64_t counted,
    const struct stats_db_row *r)
{
	buf_printf(b, "{\"time\":%" PRIu64, time);
	stats_show_row(r, counted, put_json, b);
	buf_append(b, S("}"));
}
