/* SPDX-License-Identifier: MIT */
/*
 * stats.c: `pusherctl stats` and `closes`: counters, the last minutes and
 * hours, and why and after what time connections ended.  The daemon has the
 * numbers; hours of the whole server are added up here from its minutes.
 */

#include "cli/cmd/stats.h"

#include <inttypes.h>

#include "cli/cmd/history.h"

#define MINUTES_MAX 1440
#define HOURS_MAX 24
#define CLOSES_MAX 1000

const struct cmd_option cmd_stats_options[] = {
	{ "minutes", "N",
	    "the last N minutes, a row for each (1440; an app: 60)" },
	{ "hours", "N", "the last N hours, a row for each (24)" },
	{ "since", "TIME", "from the file of statistics: 30m, 12h, 7d (24h)" },
	{ "step", "1m|1h|1d",
	    "a row for each; minutes reach back 48 hours (1h)" },
	{ "csv", NULL, "all columns, separated by commas" },
	{ NULL, NULL, NULL },
};
const struct cmd_option cmd_closes_options[] = {
	{ "limit", "N", "at most N (1000)" },
	{ NULL, NULL, NULL },
};

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

static bool
is_type(struct json row, struct str type)
{
	return str_eq(json_get(row, S("type")).raw, type);
}

/* ---- totals ---- */

#define PUBLISHED "published=events_api+events_client+events_ctl "

static const char app_columns[] =
    "app name connections channels messages_in messages_out bytes_in:bytes "
    "bytes_out:bytes " PUBLISHED
    "delivered=deliveries api=api_2xx+api_4xx+api_5xx";
static const char record_members[] =
    "connections subscriptions channels opened ended messages_in messages_out "
    "bytes_in:bytes bytes_out:bytes " PUBLISHED "delivered=deliveries "
    "api=api_2xx+api_4xx+api_5xx api_errors=api_4xx+api_5xx subscribes slow "
    "auth_api auth_subscribe auth_signin limited_client limited_api "
    "limited_auth compressed_raw:bytes=packed_raw "
    "compressed_sent:bytes=packed_sent confirmed_p50_us confirmed_p99_us";
static const char code_columns[] = "code meaning closed refused",
		  life_columns[] = "seconds closed";

struct totals {
	struct out *out;
	bool app; /* of one app only */
	bool record;
};

static void
put_record(struct out *o, struct json row, bool app)
{
	out_record_open(o, app ? "app" : "server");
	out_members(o, row, app ? "app" : "since:seconds=uptime");
	out_members(o, row, record_members);
	if (app)
		out_members(o, row,
		    "connections_limit webhooks_queued=hooks_queued "
		    "webhooks_dropped=hooks_dropped");
	out_record_close(o);
}

static void
on_total(void *arg, struct json row)
{
	struct totals *t = arg;
	bool record = is_type(row, t->app ? S("\"app\"") : S("\"server\""));

	if (record && !t->record) {
		t->record = true;
		put_record(t->out, row, t->app);
		return;
	}
	if (t->app)
		return; /* the others are of the whole server */
	if (is_type(row, S("\"app\""))) {
		out_table_order(t->out,
		    "app name connections messages_out published bytes_out "
		    "messages_in api channels delivered bytes_in");
		out_table_open(t->out, "apps", app_columns);
	} else if (is_type(row, S("\"code\""))) {
		out_table_open(t->out, "codes", code_columns);
	} else if (is_type(row, S("\"lifetime\""))) {
		out_table_open(t->out, "lifetimes", life_columns);
	} else {
		return;
	}
	out_row(t->out, row);
}

static int
read_history(struct cmd *c, uint64_t rows, struct history_rows *all)
{
	return cmd_ask(c, "history",
	    cmd_args("app #limit ?hours", c->app.id, rows,
		c->app.id != NULL && all->hours),
	    history_on_row, all);
}

/* Of the last day, or, of an app, of the last hour. */
static int
print_peaks(struct cmd *c)
{
	struct history_rows all = { .hours = false };
	int r = read_history(c, MINUTES_MAX, &all);

	if (r != CMD_OK)
		out_drop(c->out);
	else if (all.n > 0 || out_is_json(c->out))
		history_put_peaks(&all, c->out);
	history_free(&all);
	return r;
}

static int
print_totals(struct cmd *c)
{
	struct totals t = { .out = c->out, .app = c->app.id != NULL };
	int r;

	out_group_open(c->out);
	r = cmd_ask(c, "stats", cmd_args("app #limit", c->app.id, (uint64_t)20),
	    on_total, &t);
	if (r == CMD_OK && !t.record)
		r = cmd_fail("pusherd answered without its numbers");
	if (r != CMD_OK)
		out_drop(c->out);
	if (r == CMD_OK)
		r = print_peaks(c);
	out_group_close(c->out);
	return r;
}

/* ---- minutes and hours ---- */

static int
print_history(struct cmd *c, bool hours, uint64_t n)
{
	struct history_rows all = { .hours = hours };
	int r;

	r = read_history(c, hours && c->app.id == NULL ? n * 60 : n, &all);
	if (r == CMD_OK)
		history_put(&all, c->out);
	history_free(&all);
	return r;
}

int
cmd_stats(struct cmd *c)
{
	uint64_t minutes = 0, hours = 0;
	int r;

	if (cmd_has(c, "since") || cmd_has(c, "step") || cmd_has(c, "csv"))
		return cmd_over_time(c);
	r = cmd_stats_count(c, "minutes", 0, MINUTES_MAX, &minutes);
	if (r == CMD_OK)
		r = cmd_stats_count(c, "hours", 0, HOURS_MAX, &hours);
	if (r == CMD_OK && minutes != 0 && hours != 0)
		r = cmd_usage(c, "either --minutes or --hours");
	if (r == CMD_OK)
		r = cmd_name_app(c, c->args[0]);
	if (r == CMD_OK && minutes == 0 && hours == 0)
		r = print_totals(c);
	else if (r == CMD_OK)
		r = print_history(c, hours != 0, hours != 0 ? hours : minutes);
	return r;
}

/* ---- closes ---- */

int
cmd_closes(struct cmd *c)
{
	uint64_t limit;
	int r;

	r = cmd_stats_count(c, "limit", CLOSES_MAX, CLOSES_MAX, &limit);
	if (r == CMD_OK)
		r = cmd_name_app(c, c->args[0]);
	if (r != CMD_OK)
		return r;
	return cmd_list(c, "closes", cmd_args("app #limit", c->app.id, limit),
	    "time code reason app address age by bytes_out",
	    "time:clock=time_ms app address age:ms=age_ms bytes_out:bytes code "
	    "by reason");
}
