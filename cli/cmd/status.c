/* SPDX-License-Identifier: MIT */
/*
 * status.c: `pusherctl status`.  The broker sends one row about the server, one
 * for each worker and each certificate; a table can only be printed when the
 * part before it is complete, so rows are printed as they come and the first of
 * a kind opens its table.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cmd/cmd.h"
#include "shared/base/xmalloc.h"

#define ADDRESSES_MAX 8192

static const char cert_columns[] =
    "certificate=name days_left expires:time sha256";

/* The used part of a limit. */
struct limit {
	char *what;
	bool bytes;
	uint64_t used, max;
};

struct status {
	const struct cmd *c;
	struct out *out;
	bool server; /* its row came */
	struct limit *limits;
	size_t nlimits;
};

/* The daemon's own list of its addresses; "" when it cannot be read. */
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
	out_members(o, row, "version state_version uptime:seconds pid");
	put_addresses(s);
	out_members(o, row, "workers connections channels apps events");
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
	out_members(o, row, "queued waiting dead dropped");
	if (out_is_json(o) ||
	    !str_eq(json_get(row, S("trouble")).raw, S("\"\"")))
		out_members(o, row, "trouble");
	out_record_close(o);
	free(text);
}

static void
put_worker(struct out *o, struct json row)
{
	bool up = str_eq(json_get(row, S("state")).raw, S("\"up\""));

	out_table_order(o,
	    "slot state connections memory pid queued uptime subscriptions "
	    "descriptors");
	out_table_open(o, "workers",
	    "slot pid state connections subscriptions queued memory "
	    "descriptors uptime");
	out_row_open(o);
	out_members(o, row, "slot pid");
	out_state(o, "state", up ? "up" : "down", up);
	out_members(o, row,
	    "connections subscriptions queued:bytes memory:bytes descriptors "
	    "uptime:seconds");
	out_row_close(o);
}

static void
add_limit(struct status *s, struct json row)
{
	struct str what = json_get(row, S("what")).raw;
	struct limit l = { .used = row_u64(row, "used"),
		.max = row_u64(row, "limit") };

	if (json_get(row, S("what")).kind != JSON_STRING || l.max == 0)
		return;
	l.what = str_dup(str_make(what.p + 1, what.n - 2));
	l.bytes = str_eq(json_get(row, S("unit")).raw, S("\"bytes\""));
	s->limits =
	    xreallocarray(s->limits, s->nlimits + 1, sizeof(*s->limits));
	s->limits[s->nlimits++] = l;
}

/* The limit that is nearest comes first. */
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
	out_table_open(o, "limits", "limit percent used maximum");
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

	if (str_eq(type, S("\"server\"")) && !s->server) {
		s->server = true;
		put_server(s, row);
	} else if (str_eq(type, S("\"webhooks\"")) &&
	    json_get(row, S("state")).kind == JSON_STRING) {
		put_webhooks(s->out, row);
	} else if (str_eq(type, S("\"worker\""))) {
		put_worker(s->out, row);
	} else if (str_eq(type, S("\"certificate\""))) {
		out_table_open(s->out, "certificates", cert_columns);
		out_row(s->out, row);
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
	r = cmd_ask(c, "status", NULL, on_row, &s);
	if (r == CMD_OK && !s.server)
		r = cmd_fail("pusherd answered without its status");
	if (r != CMD_OK)
		out_drop(c->out);
	if (r == CMD_OK && out_is_json(c->out)) /* there, though empty */
		out_table_open(c->out, "certificates", cert_columns);
	if (r == CMD_OK)
		put_limits(&s);
	free_limits(&s);
	out_group_close(c->out);
	return r;
}
