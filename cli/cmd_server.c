/* SPDX-License-Identifier: MIT */
/*
 * cmd_server.c: `pusherctl status`.  The broker sends one row about the
 * server and one for each worker; the table can only be printed when the
 * record before it is complete, so rows are printed as they come and the
 * first worker opens the table.
 */

#include <stdlib.h>

#include "cli/cmd.h"
#include "shared/base.h"

static const char *const worker_keys[] = { "slot", "pid", "state",
	"connections", "subscriptions", "queued", "uptime" };

struct status {
	struct out *out;
	bool server;  /* its row came */
	bool workers; /* the table is open */
};

static uint64_t
number(struct json row, struct str key)
{
	uint64_t n;

	return json_u64(json_get(row, key), UINT64_MAX, &n) == 0 ? n : 0;
}

static void
put_server(struct out *o, struct json row)
{
	out_record_open(o, "server");
	out_json(o, "version", json_get(row, S("version")));
	out_seconds(o, "uptime", number(row, S("uptime")));
	out_json(o, "pid", json_get(row, S("pid")));
	out_json(o, "workers", json_get(row, S("workers")));
	out_json(o, "connections", json_get(row, S("connections")));
	out_json(o, "channels", json_get(row, S("channels")));
	out_json(o, "apps", json_get(row, S("apps")));
	out_json(o, "events", json_get(row, S("events")));
	out_record_close(o);
}

static void
put_webhooks(struct out *o, struct json row)
{
	struct str state = json_get(row, S("state")).raw;
	bool good =
	    !str_eq(state, S("\"down\"")) && !str_eq(state, S("\"stuck\""));
	char *text = str_dup(str_make(state.p + 1, state.n - 2));

	out_record_open(o, "webhooks");
	out_state(o, "state", text, good);
	out_json(o, "queued", json_get(row, S("queued")));
	out_json(o, "waiting", json_get(row, S("waiting")));
	out_json(o, "dead", json_get(row, S("dead")));
	out_json(o, "dropped", json_get(row, S("dropped")));
	out_json(o, "trouble", json_get(row, S("trouble")));
	out_record_close(o);
	free(text);
}

static void
put_worker(struct out *o, struct json row)
{
	bool up = str_eq(json_get(row, S("state")).raw, S("\"up\""));

	out_row_open(o);
	out_json(o, "slot", json_get(row, S("slot")));
	out_json(o, "pid", json_get(row, S("pid")));
	out_state(o, "state", up ? "up" : "down", up);
	out_json(o, "connections", json_get(row, S("connections")));
	out_json(o, "subscriptions", json_get(row, S("subscriptions")));
	out_bytes(o, "queued", number(row, S("queued")));
	out_seconds(o, "uptime", number(row, S("uptime")));
	out_row_close(o);
}

static void
on_row(void *arg, struct json row)
{
	struct status *s = arg;
	struct str type = json_get(row, S("type")).raw;

	if (str_eq(type, S("\"server\"")) && !s->server && !s->workers) {
		s->server = true;
		put_server(s->out, row);
	} else if (str_eq(type, S("\"webhooks\"")) && !s->workers &&
	    json_get(row, S("state")).kind == JSON_STRING) {
		put_webhooks(s->out, row);
	} else if (str_eq(type, S("\"worker\""))) {
		if (!s->workers)
			out_table_open(s->out, "workers", worker_keys,
			    nitems(worker_keys));
		s->workers = true;
		put_worker(s->out, row);
	}
}

int
cmd_status(struct cmd *c)
{
	struct status s = { .out = c->out };
	int r;

	out_group_open(c->out);
	r = cmd_ask(c, "status", S("{}"), on_row, &s);
	if (r == CMD_OK && !s.server)
		r = cmd_fail("pusherd answered without its status");
	if (r != CMD_OK)
		out_drop(c->out);
	if (s.workers)
		out_table_close(c->out);
	out_group_close(c->out);
	return r;
}
