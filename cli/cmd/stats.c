/* SPDX-License-Identifier: MIT */
/*
 * stats.c: `pusherctl stats` and `closes`: counters, the last minutes and
 * hours, why and after what time connections ended.  The daemon has the
 * numbers; hours of the whole server are added up here from its minutes.
 */

#include "cli/cmd/stats.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "cli/cmd/history.h"
#include "cli/cmd/row.h"
#include "shared/base/base.h"
#include "shared/base/xmalloc.h"
#include "shared/json/json_write.h"

#define MINUTES_MAX 1440
#define HOURS_MAX 24
#define CLOSES_MAX 1000

const struct cmd_option cmd_stats_options[] = {
	{ "minutes", "N",
	    "the last N minutes, a row for each (1440; an app: 60)" },
	{ "hours", "N", "the last N hours, a row for each (24)" },
	{ NULL, NULL, NULL },
};
const struct cmd_option cmd_closes_options[] = {
	{ "limit", "N", "at most so many (1000)" },
	{ NULL, NULL, NULL },
};

struct buf *
cmd_stats_args(const char *app, uint64_t limit, bool hours)
{
	struct json_writer w;

	json_writer_init(&w);
	json_object_open(&w);
	if (app != NULL) {
		json_key(&w, "app");
		json_put_str(&w, str_of(app));
	}
	json_key(&w, "limit");
	json_put_u64(&w, limit);
	if (hours) {
		json_key(&w, "hours");
		json_put_bool(&w, true);
	}
	json_object_close(&w);
	return json_writer_take(&w);
}

int
cmd_stats_count(const struct cmd *c, const char *option, uint64_t otherwise,
    uint64_t max, uint64_t *out)
{
	const char *text = cmd_value(c, option);

	*out = otherwise;
	if (text == NULL)
		return CMD_OK;
	if (str_to_u64(str_of(text), max, out) == -1 || *out == 0)
		return cmd_usage(c,
		    "--%s is \"%s\": must be a number from 1 "
		    "to %" PRIu64,
		    option, text, max);
	return CMD_OK;
}

/* The id of the app that was named, or NULL for all; free(3) it. */
static int
find_app(struct cmd *c, char **id)
{
	struct app a = { .id = NULL };
	int r;

	*id = NULL;
	if (c->nargs == 0)
		return CMD_OK;
	r = cmd_read_app(c, c->args[0], &a);
	if (r == CMD_OK)
		*id = xstrdup(a.id);
	app_clear(&a);
	return r;
}

static bool
is_type(struct json row, struct str type)
{
	return str_eq(json_get(row, S("type")).raw, type);
}

/* ---- totals ---- */

static const char *const code_keys[] = { "code", "meaning", "closed",
	"refused" };
static const char *const life_keys[] = { "seconds", "closed" };
static const char *const app_keys[] = { "app", "name", "connections",
	"channels", "messages_in", "messages_out", "bytes_in", "bytes_out",
	"published", "delivered", "api" };

struct totals {
	struct out *out;
	bool app; /* of one app only */
	bool record;
	const char *const *open; /* the table that is being written */
};

static uint64_t
sum_of(struct json row, const char *a, const char *b, const char *c)
{
	return row_u64(row, a) + row_u64(row, b) + row_u64(row, c);
}

static void
put_record(struct out *o, struct json row, bool app)
{
	static const char *const keys[] = { "connections", "subscriptions",
		"channels", "opened", "ended", "messages_in", "messages_out" };
	static const char *const more[] = { "subscribes", "slow", "auth_api",
		"auth_subscribe", "auth_signin", "limited_client",
		"limited_api", "limited_auth" };
	size_t i;

	out_record_open(o, app ? "app" : "server");
	if (app)
		out_json(o, "app", json_get(row, S("app")));
	else
		out_seconds(o, "since", row_u64(row, "uptime"));
	for (i = 0; i < nitems(keys); i++)
		out_json(o, keys[i], json_get(row, str_of(keys[i])));
	out_bytes(o, "bytes_in", row_u64(row, "bytes_in"));
	out_bytes(o, "bytes_out", row_u64(row, "bytes_out"));
	out_num(o, "published",
	    sum_of(row, "events_api", "events_client", "events_ctl"));
	out_json(o, "delivered", json_get(row, S("deliveries")));
	out_num(o, "api", sum_of(row, "api_2xx", "api_4xx", "api_5xx"));
	out_num(o, "api_errors", sum_of(row, "", "api_4xx", "api_5xx"));
	for (i = 0; i < nitems(more); i++)
		out_json(o, more[i], json_get(row, str_of(more[i])));
	if (app) {
		out_json(o, "connections_limit",
		    json_get(row, S("connections_limit")));
		out_json(
		    o, "webhooks_queued", json_get(row, S("hooks_queued")));
		out_json(
		    o, "webhooks_dropped", json_get(row, S("hooks_dropped")));
	}
	out_record_close(o);
}

static void
put_app(struct out *o, struct json row)
{
	size_t i;

	out_row_open(o);
	for (i = 0; i < 6; i++)
		out_json(o, app_keys[i], json_get(row, str_of(app_keys[i])));
	out_bytes(o, "bytes_in", row_u64(row, "bytes_in"));
	out_bytes(o, "bytes_out", row_u64(row, "bytes_out"));
	out_num(o, "published",
	    sum_of(row, "events_api", "events_client", "events_ctl"));
	out_json(o, "delivered", json_get(row, S("deliveries")));
	out_num(o, "api", sum_of(row, "api_2xx", "api_4xx", "api_5xx"));
	out_row_close(o);
}

/* Ends the table that is open unless it is this one, and begins this one. */
static void
open_table(
    struct totals *t, const char *name, const char *const *keys, size_t n)
{
	if (t->open == keys)
		return;
	if (t->open != NULL)
		out_table_close(t->out);
	t->open = keys;
	if (keys == NULL)
		return;
	out_table_order(t->out,
	    "app name connections messages_out published bytes_out "
	    "messages_in api channels delivered bytes_in");
	out_table_open(t->out, name, keys, n);
}

static void
put_plain(struct out *o, struct json row, const char *const *keys, size_t n)
{
	size_t i;

	out_row_open(o);
	for (i = 0; i < n; i++)
		out_json(o, keys[i], json_get(row, str_of(keys[i])));
	out_row_close(o);
}

static void
on_total(void *arg, struct json row)
{
	struct totals *t = arg;
	bool record = is_type(row, t->app ? S("\"app\"") : S("\"server\""));

	if (record && !t->record && t->open == NULL) {
		t->record = true;
		put_record(t->out, row, t->app);
	} else if (t->app) {
		return; /* the others are of the whole server */
	} else if (is_type(row, S("\"app\""))) {
		open_table(t, "apps", app_keys, nitems(app_keys));
		put_app(t->out, row);
	} else if (is_type(row, S("\"code\""))) {
		open_table(t, "codes", code_keys, nitems(code_keys));
		put_plain(t->out, row, code_keys, nitems(code_keys));
	} else if (is_type(row, S("\"lifetime\""))) {
		open_table(t, "lifetimes", life_keys, nitems(life_keys));
		put_plain(t->out, row, life_keys, nitems(life_keys));
	}
}

static int
read_history(
    struct cmd *c, const char *app, uint64_t rows, struct history_rows *all)
{
	struct buf *args = cmd_stats_args(app, rows, app != NULL && all->hours);
	int r = cmd_ask(c, "history", buf_str(args), history_on_row, all);

	buf_unref(args);
	return r;
}

/* Of the last day, or, of an app, of the last hour. */
static int
print_peaks(struct cmd *c, const char *app)
{
	struct history_rows all = { .hours = false };
	int r = read_history(c, app, MINUTES_MAX, &all);

	if (r != CMD_OK)
		out_drop(c->out);
	else if (all.n > 0 || out_is_json(c->out))
		history_put_peaks(&all, c->out);
	history_free(&all);
	return r;
}

static int
print_totals(struct cmd *c, const char *app)
{
	struct totals t = { .out = c->out, .app = app != NULL };
	struct buf *args = cmd_stats_args(app, 20, false);
	int r;

	out_group_open(c->out);
	r = cmd_ask(c, "stats", buf_str(args), on_total, &t);
	if (r == CMD_OK && !t.record)
		r = cmd_fail("pusherd answered without its numbers");
	if (r != CMD_OK)
		out_drop(c->out);
	open_table(&t, NULL, NULL, 0);
	if (r == CMD_OK)
		r = print_peaks(c, app);
	out_group_close(c->out);
	buf_unref(args);
	return r;
}

/* ---- minutes and hours ---- */

static int
print_history(struct cmd *c, const char *app, bool hours, uint64_t n)
{
	struct history_rows all = { .hours = hours };
	int r;

	r = read_history(c, app, hours && app == NULL ? n * 60 : n, &all);
	if (r == CMD_OK)
		history_put(&all, c->out);
	history_free(&all);
	return r;
}

int
cmd_stats(struct cmd *c)
{
	uint64_t minutes = 0, hours = 0;
	char *app = NULL;
	int r;

	r = cmd_stats_count(c, "minutes", 0, MINUTES_MAX, &minutes);
	if (r == CMD_OK)
		r = cmd_stats_count(c, "hours", 0, HOURS_MAX, &hours);
	if (r == CMD_OK && minutes != 0 && hours != 0)
		r = cmd_usage(c, "either --minutes or --hours");
	if (r == CMD_OK)
		r = find_app(c, &app);
	if (r == CMD_OK && minutes == 0 && hours == 0)
		r = print_totals(c, app);
	else if (r == CMD_OK)
		r = print_history(
		    c, app, hours != 0, hours != 0 ? hours : minutes);
	free(app);
	return r;
}

/* ---- closes ---- */

static const char *const close_keys[] = { "time", "app", "address", "age",
	"bytes_out", "code", "by", "reason" };

static void
put_clock(struct out *o, uint64_t ms)
{
	time_t t = (time_t)(ms / 1000);
	struct tm tm;
	char day[32], text[64];

	if (out_is_json(o) || localtime_r(&t, &tm) == NULL) {
		out_num(o, "time", ms / 1000);
		return;
	}
	strftime(day, sizeof(day), "%Y-%m-%d %H:%M:%S", &tm);
	snprintf(text, sizeof(text), "%s.%03u", day, (unsigned)(ms % 1000));
	out_text(o, "time", text);
}

static void
put_close(void *arg, struct json row)
{
	struct out *o = arg;

	out_row_open(o);
	put_clock(o, row_u64(row, "time_ms"));
	out_json(o, "app", json_get(row, S("app")));
	out_json(o, "address", json_get(row, S("address")));
	out_seconds(o, "age", row_u64(row, "age_ms") / 1000);
	out_bytes(o, "bytes_out", row_u64(row, "bytes_out"));
	out_json(o, "code", json_get(row, S("code")));
	out_json(o, "by", json_get(row, S("by")));
	out_json(o, "reason", json_get(row, S("reason")));
	out_row_close(o);
}

int
cmd_closes(struct cmd *c)
{
	struct buf *args;
	char *app = NULL;
	uint64_t limit;
	int r;

	r = cmd_stats_count(c, "limit", CLOSES_MAX, CLOSES_MAX, &limit);
	if (r == CMD_OK)
		r = find_app(c, &app);
	if (r != CMD_OK)
		return r;
	args = cmd_stats_args(app, limit, false);
	out_table_order(
	    c->out, "time code reason app address age by bytes_out");
	out_table_open(c->out, NULL, close_keys, nitems(close_keys));
	r = cmd_ask(c, "closes", buf_str(args), put_close, c->out);
	if (r != CMD_OK)
		out_drop(c->out);
	out_table_close(c->out);
	buf_unref(args);
	free(app);
	return r;
}
