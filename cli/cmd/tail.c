/* SPDX-License-Identifier: MIT */
/*
 * tail.c: `pusherctl tail`: events as they pass the broker.  What is not
 * wanted is filtered here, so that the broker only has to compare an app and a
 * channel; when this end is too slow the broker leaves events out and says how
 * many.
 */

#include <inttypes.h>
#include <stdlib.h>

#include "cli/cmd/event_line.h"
#include "cli/cmd/tail.h"
#include "shared/base/base.h"

const struct cmd_option cmd_tail_options[] = {
	{ "events", "NAMES", "only these events; commas, * and ? are allowed" },
	{ "grep", "RE",
	    "only where this extended regular expression is in \"EVENT "
	    "DATA\"" },
	{ "own", NULL,
	    "also what the server says: member_added, subscription_count" },
	{ "limit", "N", "end after so many" },
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
on_row(void *arg, struct json row)
{
	struct tailing *t = arg;
	struct event_line l = { .frame = json_get(row, S("frame")) };
	char *tmp[3] = { NULL, NULL, NULL };
	uint64_t n;

	if (json_u64(json_get(row, S("missed")), UINT64_MAX, &n) == 0)
		put_missed(t, n);
	if (l.frame.kind != JSON_OBJECT ||
	    json_u64(json_get(row, S("time_ms")), UINT64_MAX, &l.time_ms) == -1)
		return;
	l.kind = text(row, S("type"), &tmp[0]);
	l.app = text(row, S("app"), &tmp[1]);
	l.channel = text(row, S("channel"), &tmp[2]);
	event_line_put(&t->filter, &l, t->json);
	for (size_t i = 0; i < nitems(tmp); i++)
		free(tmp[i]);
}

int
cmd_tail(struct cmd *c)
{
	struct tailing t = { .json = out_is_json(c->out) };
	int r = event_filter_init(&t.filter, c);

	if (r == CMD_OK)
		r = cmd_name_app(c, c->args[0]);
	if (r == CMD_OK)
		r = cmd_watch(c, "tail",
		    cmd_args("app channel ?own", c->app.id,
			c->nargs > 1 ? c->args[1] : NULL, cmd_has(c, "own")),
		    on_row, &t, &t.filter.done);
	event_filter_clear(&t.filter);
	return r;
}
