/* SPDX-License-Identifier: MIT */
/*
 * over_time.c: `pusherctl stats --since --step --csv`: what stats.db has of an
 * app or of the whole server, with or without a daemon.  Must never write the
 * file.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cmd/stats.h"
#include "shared/app/appdb.h"
#include "shared/app/stats_show.h"
#include "shared/base/buf.h"
#include "shared/base/clock.h"

struct listing {
	struct out *out;
	struct buf *csv;
	bool has_csv;
};

static void
put_column(void *arg, const char *column, uint64_t v)
{
	out_num(arg, column, v);
}

static void
on_period(
    void *arg, uint64_t time, uint64_t counted, const struct stats_db_row *r)
{
	struct listing *l = arg;
	char text[STATS_SHOW_TIME];

	if (l->has_csv) {
		stats_show_csv(&l->csv, time, counted, r);
		return;
	}
	stats_show_time(text, time);
	out_row_open(l->out);
	if (out_is_json(l->out))
		out_num(l->out, "time", time);
	else
		out_text(l->out, "time", text);
	stats_show_row(r, counted, put_column, l->out);
	out_row_close(l->out);
}

/* The options: seconds of a step, and the time of the first row. */
static int
read_options(const struct cmd *c, struct stats_db_query *q)
{
	const char *since = cmd_value(c, "since"), *step = cmd_value(c, "step");
	uint64_t span = 86400, now = clock_ms(CLOCK_REALTIME) / 1000, most;

	if (cmd_has(c, "minutes") || cmd_has(c, "hours"))
		return cmd_usage(c,
		    "either --minutes or --hours, or --since, --step, --csv");
	if (cmd_has(c, "csv") && c->json)
		return cmd_usage(c, "either --csv or -j");
	if (since != NULL && (cmd_read_span(since, &span) == -1 || span == 0))
		return cmd_usage(c,
		    "--since is a time like 30m, 12h or 7d, not \"%s\"", since);
	q->step = 3600;
	if (step != NULL &&
	    (cmd_read_span(step, &q->step) == -1 ||
		(q->step != 60 && q->step != 3600 && q->step != 86400)))
		return cmd_usage(c, "--step is 1m, 1h or 1d, not \"%s\"", step);
	most = q->step == 60 ? STATS_DB_MINUTES : STATS_DB_HOURS;
	if (span > most && q->step == 60)
		return cmd_usage(c,
		    "--since %s: minutes are kept for 48 hours; for a longer "
		    "time: --step 1h or 1d",
		    since);
	if (span > most)
		return cmd_usage(
		    c, "--since %s: statistics are kept for 395 days", since);
	q->from = (now - span) / q->step * q->step;
	return CMD_OK;
}

static int
print(const struct cmd *c, struct stats_db *d, const struct stats_db_query *q)
{
	struct listing l = { .out = c->out, .has_csv = cmd_has(c, "csv") };
	int r;

	if (l.has_csv) {
		stats_show_csv_head(&l.csv);
	} else {
		out_table_order(c->out,
		    "time connections connections_mean published delivered "
		    "messages_out bytes_out api_2xx channels subscriptions "
		    "messages_in client_events confirmed_p99_us "
		    "webhooks_failed "
		    "webhooks_ok gaps resumed closed_lost api_4xx api_5xx");
		out_table_open(c->out, NULL, stats_show_columns);
	}
	r = d == NULL ? 0 : stats_db_each(d, q, on_period, &l);
	if (l.has_csv && r == 0)
		out_json_document(c->out, buf_str(l.csv));
	else if (!l.has_csv)
		out_table_close(c->out);
	buf_unref(l.csv);
	return r;
}

/* 1: it has rows of an app that is deleted; 0: no; else the command fails. */
static int
is_of_deleted(const struct cmd *c, struct stats_db *d, const char *which)
{
	struct app a = { .num = 0 };
	struct appdb *db;
	int found;

	if (d == NULL || which == NULL || c->scope != NULL ||
	    !stats_db_knows(d, str_of(which)))
		return 0;
	db = cmd_open_db(c, APPDB_READ);
	if (db == NULL)
		return -1;
	found = appdb_find(db, which, &a);
	appdb_close(db);
	app_clear(&a);
	return found == 0;
}

int
cmd_over_time(struct cmd *c)
{
	/* A session of one app sees no other, and not the sums of all. */
	const char *which = c->nargs > 0 ? c->args[0] : c->scope;
	struct stats_db_query q = { .step = 0 };
	char *path = stats_db_path(c->conf->outbox), *why = NULL;
	struct stats_db *d = NULL;
	struct stat st;
	int r = read_options(c, &q);

	if (r == CMD_OK && (stat(path, &st) == 0 || errno != ENOENT)) {
		d = stats_db_open(path, STATS_DB_READ, &why);
		if (d == NULL)
			r = cmd_fail("statistics: %s", why);
	}
	if (r == CMD_OK) {
		r = is_of_deleted(c, d, which);
		if (r == 1)
			q.app = str_of(which);
		r = r == 1   ? CMD_OK
		    : r == 0 ? cmd_name_app(c, which)
			     : CMD_FAILED;
	}
	if (c->app.id != NULL)
		q.app = str_of(c->app.id);
	if (r == CMD_OK && print(c, d, &q) == -1) {
		out_drop(c->out);
		r = cmd_fail("statistics: %s: %s", path, stats_db_error(d));
	}
	stats_db_close(d);
	free(why);
	free(path);
	return r;
}
