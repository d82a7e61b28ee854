/* SPDX-License-Identifier: MIT */
/*
 * status.c: `pusherctl status`.  The broker sends one row about the
 * server, one for each worker and each certificate; a table can only be
 * printed when what is before it is complete, so rows are printed as they
 * come and the first of a kind opens its table.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cmd/cmd.h"
#include "cli/cmd/row.h"
#include "cli/cmd/stats.h"
#include "shared/base/base.h"
#include "shared/base/xmalloc.h"

#define ADDRESSES_MAX 8192

static const char *const worker_keys[] = { "slot", "pid", "state",
	"connections", "subscriptions", "queued", "memory", "descriptors",
	"uptime" };
static const char *const cert_keys[] = { "certificate", "days_left", "expires",
	"sha256" };
static const char *const limit_keys[] = { "limit", "percent", "used",
	"maximum" };

/* How much of a limit is used. */
struct limit {
	char *what;
	bool bytes;
	uint64_t used, max;
};

struct status {
	const struct cmd *c;
	struct out *out;
	bool server;  /* its row came */
	bool workers; /* the table is open, or was */
	bool certs;   /* likewise */
	struct limit *limits;
	size_t nlimits;
};

static uint64_t
number(struct json row, struct str key)
{
	uint64_t n;

	return json_u64(json_get(row, key), UINT64_MAX, &n) == 0 ? n : 0;
}

/* Where it listens, as it has written it; "" when that cannot be read. */
static void
put_addresses(const struct status *s)
{
	char *path = xasprintf("%s/listen", s->c->conf->runtime_dir);
	char text[ADDRESSES_MAX] = "";
	FILE *f = fopen(path, "re");
	size_t n = f == NULL ? 0 : fread(text, 1, sizeof(text) - 1, f);

	while (n > 0 && text[n - 1] == '\n')
		n--;
	text[n] = '\0';
	for (char *p = text; (p = strchr(p, '\n')) != NULL;)
		*p = ' ';
	out_text(s->out, "addresses", text);
	if (f != NULL)
		fclose(f);
	free(path);
}

static void
put_server(const struct status *s, struct json row)
{
	struct out *o = s->out;

	out_record_open(o, "server");
	out_json(o, "version", json_get(row, S("version")));
	out_seconds(o, "uptime", number(row, S("uptime")));
	out_json(o, "pid", json_get(row, S("pid")));
	put_addresses(s);
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
	/* In a text nothing else says whose state it is. */
	out_state(o, out_is_json(o) ? "state" : "webhooks", text, good);
	out_json(o, "queued", json_get(row, S("queued")));
	out_json(o, "waiting", json_get(row, S("waiting")));
	out_json(o, "dead", json_get(row, S("dead")));
	out_json(o, "dropped", json_get(row, S("dropped")));
	if (out_is_json(o) ||
	    !str_eq(json_get(row, S("trouble")).raw, S("\"\"")))
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
	out_bytes(o, "memory", number(row, S("memory")));
	out_json(o, "descriptors", json_get(row, S("descriptors")));
	out_seconds(o, "uptime", number(row, S("uptime")));
	out_row_close(o);
}

static void
open_certs(struct status *s)
{
	if (s->workers && !s->certs)
		out_table_close(s->out);
	if (!s->certs)
		out_table_open(
		    s->out, "certificates", cert_keys, nitems(cert_keys));
	s->certs = true;
}

static void
put_certificate(struct status *s, struct json row)
{
	struct out *o = s->out;

	open_certs(s);
	out_row_open(o);
	out_json(o, "certificate", json_get(row, S("name")));
	out_json(o, "days_left", json_get(row, S("days_left")));
	row_put_time(o, "expires", number(row, S("expires")));
	out_json(o, "sha256", json_get(row, S("sha256")));
	out_row_close(o);
}

static void
add_limit(struct status *s, struct json row)
{
	struct str what = json_get(row, S("what")).raw;
	struct limit l = { .used = number(row, S("used")),
		.max = number(row, S("limit")) };

	if (json_get(row, S("what")).kind != JSON_STRING || l.max == 0)
		return;
	l.what = str_dup(str_make(what.p + 1, what.n - 2));
	l.bytes = str_eq(json_get(row, S("unit")).raw, S("\"bytes\""));
	s->limits =
	    xreallocarray(s->limits, s->nlimits + 1, sizeof(*s->limits));
	s->limits[s->nlimits++] = l;
}

/* The one that is hit first comes first. */
static int
by_nearness(const void *x, const void *y)
{
	const struct limit *a = x, *b = y;
	double pa = (double)a->used / (double)a->max;
	double pb = (double)b->used / (double)b->max;

	if (pa != pb)
		return pa < pb ? 1 : -1;
	return strcmp(a->what, b->what);
}

static void
put_limits(struct status *s)
{
	struct out *o = s->out;
	size_t i;

	if (s->nlimits == 0)
		return;
	qsort(s->limits, s->nlimits, sizeof(*s->limits), by_nearness);
	out_table_open(o, "limits", limit_keys, nitems(limit_keys));
	for (i = 0; i < s->nlimits; i++) {
		const struct limit *l = &s->limits[i];

		out_row_open(o);
		out_text(o, "limit", l->what);
		out_num(o, "percent",
		    (uint64_t)((double)l->used * 100. / (double)l->max));
		if (l->bytes) {
			out_bytes(o, "used", l->used);
			out_bytes(o, "maximum", l->max);
		} else {
			out_num(o, "used", l->used);
			out_num(o, "maximum", l->max);
		}
		out_row_close(o);
	}
	out_table_close(o);
}

static void
free_limits(struct status *s)
{
	size_t i;

	for (i = 0; i < s->nlimits; i++)
		free(s->limits[i].what);
	free(s->limits);
}

static void
on_row(void *arg, struct json row)
{
	struct status *s = arg;
	struct str type = json_get(row, S("type")).raw;

	if (str_eq(type, S("\"server\"")) && !s->server && !s->workers) {
		s->server = true;
		put_server(s, row);
	} else if (str_eq(type, S("\"webhooks\"")) && !s->workers &&
	    json_get(row, S("state")).kind == JSON_STRING) {
		put_webhooks(s->out, row);
	} else if (str_eq(type, S("\"worker\"")) && !s->certs) {
		if (!s->workers) {
			out_table_order(s->out,
			    "slot state connections memory pid queued uptime "
			    "subscriptions descriptors");
			out_table_open(s->out, "workers", worker_keys,
			    nitems(worker_keys));
		}
		s->workers = true;
		put_worker(s->out, row);
	} else if (str_eq(type, S("\"certificate\""))) {
		put_certificate(s, row);
	} else if (str_eq(type, S("\"limit\""))) {
		add_limit(s, row);
	}
}

int
cmd_status(struct cmd *c)
{
	struct status s = { .c = c, .out = c->out };
	int r;

	out_group_open(c->out);
	r = cmd_ask(c, "status", S("{}"), on_row, &s);
	if (r == CMD_OK && !s.server)
		r = cmd_fail("pusherd answered without its status");
	if (r != CMD_OK)
		out_drop(c->out);
	if (r == CMD_OK && out_is_json(c->out))
		open_certs(&s); /* there, though perhaps empty */
	if (s.workers || s.certs)
		out_table_close(c->out);
	if (r == CMD_OK)
		put_limits(&s);
	free_limits(&s);
	out_group_close(c->out);
	return r;
}
