/* SPDX-License-Identifier: MIT */
/*
 * tail.c: `pusherctl tail`: events as they pass the broker.  Filters are
 * applied here, so that the broker only has to compare an app and a channel; if
 * this end is too slow the broker drops events and reports how many.
 */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/cmd/event_line.h"
#include "cli/cmd/tail.h"
#include "shared/base/base.h"
#include "shared/base/clock.h"

const struct cmd_option cmd_tail_options[] = {
	{ "events", "NAMES", "only these events; commas, * and ? are allowed" },
	{ "grep", "RE",
	    "only events whose \"EVENT DATA\" matches this extended regular "
	    "expression" },
	{ "own", NULL,
	    "also events of the server: member_added, subscription_count" },
	{ "limit", "N", "exit after N events" },
	{ "since", "TIME",
	    "first the events of the last 30s, 5m, 2h, 1d in the app's log" },
	{ NULL, NULL, NULL },
};
const struct cmd_option cmd_channel_options[] = {
	{ "events", "N",
	    "instead, the newest N events (1-1000) of the app's log" },
	{ NULL, NULL, NULL },
};

struct tailing {
	struct event_filter filter;
	bool json;
};

static struct str
text(struct json row, struct str key, char **tmp)
{
	struct json v = json_get(row, key);
	struct str s;

	return v.kind == JSON_STRING && json_string(v, &s, tmp) == 0 ? s
								     : S("");
}

static void
put_missed(const struct tailing *t, uint64_t n)
{
	if (t->json)
		printf("{\"missed\":%" PRIu64 "}\n", n);
	else
		cmd_note("%" PRIu64 " events not shown: this end reads too "
			 "slowly",
		    n);
	fflush(stdout);
}

static void
put_begins(const struct tailing *t, uint64_t ms)
{
	time_t seconds = (time_t)(ms / 1000);
	char when[32] = "";
	struct tm tm;

	if (localtime_r(&seconds, &tm) != NULL)
		strftime(when, sizeof(when), "%F %T", &tm);
	if (!t->json)
		cmd_note(
		    "the log begins at %s: resume_bytes makes it larger", when);
}

static void
on_row(void *arg, struct json row)
{
	struct tailing *t = arg;
	struct event_line l = { .frame = json_get(row, S("frame")) };
	char *tmp[3] = { NULL, NULL, NULL };
	uint64_t n;

	if (json_u64(json_get(row, S("missed")), UINT64_MAX, &n) == 0)
		put_missed(t, n);
	if (json_u64(json_get(row, S("begins_ms")), UINT64_MAX, &n) == 0)
		put_begins(t, n);
	if (l.frame.kind != JSON_OBJECT ||
	    json_u64(json_get(row, S("time_ms")), UINT64_MAX, &l.time_ms) == -1)
		return;
	json_u64(json_get(row, S("pos")), UINT64_MAX, &l.pos);
	l.kind = text(row, S("type"), &tmp[0]);
	l.app = text(row, S("app"), &tmp[1]);
	l.channel = text(row, S("channel"), &tmp[2]);
	event_line_put(&t->filter, &l, t->json);
	for (size_t i = 0; i < nitems(tmp); i++)
		free(tmp[i]);
}

/* "5m" as a time of the wall clock; -1: it is none. */
static int
read_since(const char *text, uint64_t *ms)
{
	uint64_t seconds;

	if (cmd_read_span(text, &seconds) == -1)
		return -1;
	*ms = clock_ms(CLOCK_REALTIME);
	*ms -= MIN(*ms - 1, seconds * 1000);
	return 0;
}

int
cmd_tail(struct cmd *c)
{
	struct tailing t = { .json = out_is_json(c->out) };
	uint64_t since = 0;
	int r = event_filter_init(&t.filter, c);

	if (r == CMD_OK && cmd_has(c, "since")) {
		if (c->nargs == 0)
			r = cmd_usage(c, "--since needs APP");
		else if (read_since(cmd_value(c, "since"), &since) == -1)
			r = cmd_usage(c,
			    "--since is a time like 30s, 5m, 2h or 1d, not "
			    "\"%s\"",
			    cmd_value(c, "since"));
	}
	if (r == CMD_OK)
		r = cmd_name_app(c, c->args[0]);
	if (r == CMD_OK)
		r = cmd_watch(c, "tail",
		    cmd_args("app channel ?own #since_ms", c->app.id,
			c->nargs > 1 ? c->args[1] : NULL, cmd_has(c, "own"),
			since),
		    on_row, &t, &t.filter.done);
	event_filter_clear(&t.filter);
	return r;
}

int
cmd_channel_events(struct cmd *c)
{
	struct tailing t = { .json = out_is_json(c->out) };
	uint64_t n;

	if (str_to_u64(str_of(cmd_value(c, "events")), 1000, &n) == -1 ||
	    n == 0)
		return cmd_usage(c, "--events is a number from 1 to 1000");
	return cmd_ask(c, "events",
	    cmd_args("app channel #limit", c->app.id, c->args[1], n), on_row,
	    &t);
}
