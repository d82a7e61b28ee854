/* SPDX-License-Identifier: MIT */
/*
 * connection.c: `pusherctl connections list|show|kill`.  The workers know the
 * connections; rows are printed as they come, unless they must be sorted: only
 * then all of them are stored, here and not in the daemon.
 */

#include "cli/cmd/connection.h"

#include <stdlib.h>

#include "shared/base/base.h"
#include "shared/base/xmalloc.h"
#include "shared/pusher/channel_name.h"

/* Keys of --sort: first those whose highest value comes first. */
#define NUMBERS "received, sent, bytes_sent, queued, subscriptions, age, idle"
#define TEXTS "socket_id, app, worker, address, user"

const struct cmd_option cmd_connections_list_options[] = {
	{ "channel", "C", "only those in this channel (needs APP)" },
	{ "user", "U", "only those signed in as this user (needs APP)" },
	{ "sort", "COLUMN", NUMBERS ": the highest first; " TEXTS },
	{ "reverse", NULL, "the lowest first" },
	{ "limit", "N", "at most N" },
	{ NULL, NULL, NULL },
};
const struct cmd_option cmd_connections_kill_options[] = {
	{ "app", "APP", "all clients of this app" },
	{ "channel", "C", "only those in this channel (needs --app)" },
	{ "user", "U", "only those signed in as this user (needs --app)" },
	{ "reconnect", NULL,
	    "close with 4200: clients reconnect; without it with 4009: they do "
	    "not" },
	{ "yes", NULL, "do not ask" },
	{ NULL, NULL, NULL },
};

#define COLUMNS \
	"socket_id app worker address age:seconds idle:seconds user " \
	"subscriptions received sent bytes_sent:bytes queued:bytes"

void
cmd_connection_table(struct out *o, const char *name)
{
	out_table_order(o,
	    "socket_id app user address age idle queued sent received "
	    "bytes_sent subscriptions worker");
	/* confirmed: a number of the app's log, for programs. */
	out_table_open(
	    o, name, out_is_json(o) ? COLUMNS " confirmed" : COLUMNS);
}

/* ---- list ---- */

struct listing {
	struct out *out;
	const char *sort; /* a key, or NULL: printed as they come */
	bool reverse;
	char **rows;
	size_t n, cap;
};

static struct json
row_of(const char *text)
{
	struct json row = { .kind = JSON_NONE };
	const char *err;

	json_parse(str_of(text), &row, &err); /* it was parsed before */
	return row;
}

static int
compare(struct json a, struct json b)
{
	struct str x, y;
	char *tmp[2] = { NULL, NULL };
	uint64_t n, m;
	int r;

	if (a.kind != b.kind) /* null: behind all others */
		return a.kind == JSON_NULL || a.kind == JSON_NONE ? 1 : -1;
	if (json_u64(a, UINT64_MAX, &n) == 0 &&
	    json_u64(b, UINT64_MAX, &m) == 0)
		return n > m ? -1 : n < m; /* the highest first */
	x = a.raw;
	y = b.raw;
	if (a.kind != JSON_STRING || json_string(a, &x, &tmp[0]) == -1 ||
	    json_string(b, &y, &tmp[1]) == -1) {
		x = a.raw;
		y = b.raw;
	}
	r = str_cmp(x, y);
	free(tmp[0]);
	free(tmp[1]);
	return r;
}

static int
by_key(const void *a, const void *b, void *arg)
{
	const struct listing *l = arg;
	char *const *x = a, *const *y = b;
	struct str key = str_of(l->sort);
	int r = compare(json_get(row_of(*x), key), json_get(row_of(*y), key));

	return l->reverse ? -r : r;
}

static void
on_row(void *arg, struct json row)
{
	struct listing *l = arg;

	if (l->sort == NULL) {
		out_row(l->out, row);
		return;
	}
	if (l->n == l->cap) {
		l->cap = MAX(l->cap * 2, 64);
		l->rows = xreallocarray(l->rows, l->cap, sizeof(*l->rows));
	}
	l->rows[l->n++] = str_dup(row.raw);
}

/* Prints the stored rows, and frees them. */
static void
put_sorted(struct listing *l, uint64_t limit)
{
	size_t i;

	if (l->n > 0)
		qsort_r(l->rows, l->n, sizeof(*l->rows), by_key, l);
	for (i = 0; i < l->n; i++) {
		if (limit == 0 || i < limit)
			out_row(l->out, row_of(l->rows[i]));
		free(l->rows[i]);
	}
	free(l->rows);
}

static int
check_sort(const struct cmd *c, const char *sort)
{
	struct str rest = S(COLUMNS " confirmed"), word;

	if (sort == NULL)
		return cmd_has(c, "reverse")
		    ? cmd_usage(c, "--reverse needs --sort COLUMN")
		    : CMD_OK;
	while (rest.p != NULL) {
		word = str_cut(&rest, ' ');
		if (str_eq(str_cut(&word, ':'), str_of(sort)))
			return CMD_OK;
	}
	return cmd_usage(c,
	    "there is no column \"%s\" to sort by; there are " NUMBERS
	    ", " TEXTS,
	    sort);
}

int
cmd_connections_list(struct cmd *c)
{
	struct listing l = { .out = c->out,
		.sort = cmd_value(c, "sort"),
		.reverse = cmd_has(c, "reverse") };
	const char *text = cmd_value(c, "limit");
	uint64_t limit = 0;
	int r = check_sort(c, l.sort);

	if (r == CMD_OK && text != NULL &&
	    (str_to_u64(str_of(text), UINT32_MAX, &limit) == -1 || limit == 0))
		r = cmd_usage(c, "--limit takes a number above 0");
	if (r == CMD_OK && c->nargs == 0 &&
	    (cmd_has(c, "channel") || cmd_has(c, "user")))
		r = cmd_usage(c, "--channel and --user need an APP");
	if (r == CMD_OK)
		r = cmd_name_app(c, c->args[0]);
	if (r != CMD_OK)
		return r;
	cmd_connection_table(c->out, NULL);
	r = cmd_ask(c, "connections",
	    cmd_args("app channel user #limit", c->app.id,
		cmd_value(c, "channel"), cmd_value(c, "user"),
		l.sort == NULL ? limit : 0),
	    on_row, &l);
	if (r != CMD_OK)
		out_drop(c->out);
	put_sorted(&l, limit);
	out_table_close(c->out);
	return r;
}

/* ---- show ---- */

static void
put_connection(void *out, struct json row)
{
	struct json list = json_get(row, S("channels")), e;
	size_t pos = 0;

	out_record_open(out, "connection");
	out_members(out, row, COLUMNS);
	out_members(out, row, "compression bytes_saved:bytes");
	if (row_u64(row, "channels_not_shown") > 0 || out_is_json(out))
		out_num(out, "channels_not_shown",
		    row_u64(row, "channels_not_shown"));
	out_record_close(out);
	out_table_open(out, "channels", "channel user on");
	while (json_next(list, &pos, &e))
		out_row(out, e);
}

static int
check_socket_id(const struct cmd *c, const char *text)
{
	if (socket_id_is_valid(str_of(text)))
		return CMD_OK;
	return cmd_usage(
	    c, "\"%s\" is not a socket id: digits, a dot, digits", text);
}

/* The next command after a connection that is not there. */
static void
note_list(const struct cmd *c)
{
	cmd_note("to see the connections: %s connections list", c->self);
}

int
cmd_connections_show(struct cmd *c)
{
	int r = check_socket_id(c, c->args[0]);

	if (r != CMD_OK)
		return r;
	out_group_open(c->out);
	r = cmd_ask(c, "connection", cmd_args("socket_id", c->args[0]),
	    put_connection, c->out);
	if (r == CMD_FAILED)
		note_list(c);
	if (r != CMD_OK)
		out_drop(c->out);
	out_group_close(c->out);
	return r;
}

/* ---- kill ---- */

static void
on_closed(void *arg, struct json row)
{
	uint64_t *n = arg;

	*n = row_u64(row, "closed"); /* it grows; the last one counts */
}

int
cmd_connection_kill(const struct cmd *c, struct buf *args, const char *nobody)
{
	uint64_t n = 0;
	int r = cmd_ask(c, "kill", args, on_closed, &n);

	if (r != CMD_OK)
		return r;
	if (n == 0 && nobody != NULL)
		return cmd_fail("%s", nobody);
	out_record_open(c->out, NULL);
	out_num(c->out, "closed", n);
	out_record_close(c->out);
	return CMD_OK;
}

static int
kill_of_app(struct cmd *c, const char *which)
{
	const char *user = cmd_value(c, "user"),
		   *channel = cmd_value(c, "channel");
	int r = cmd_name_app(c, which);

	if (r == CMD_OK && user == NULL && !cmd_has(c, "yes"))
		r = cmd_confirm(c, "Close all clients%s%s of app %s (%s)?",
		    channel != NULL ? " in channel " : "",
		    channel != NULL ? channel : "", c->app.id, c->app.name);
	if (r != CMD_OK)
		return r;
	return cmd_connection_kill(c,
	    cmd_args("app channel user ?reconnect", c->app.id, channel, user,
		cmd_has(c, "reconnect")),
	    user != NULL ? "nobody is signed in as that user" : NULL);
}

static int
kill_one(struct cmd *c)
{
	int r = check_socket_id(c, c->args[0]);

	if (r != CMD_OK)
		return r;
	r = cmd_connection_kill(c,
	    cmd_args(
		"socket_id ?reconnect", c->args[0], cmd_has(c, "reconnect")),
	    NULL);
	if (r == CMD_FAILED)
		note_list(c);
	return r;
}

int
cmd_connections_kill(struct cmd *c)
{
	const char *app = cmd_value(c, "app");

	if ((app != NULL) == (c->nargs > 0))
		return cmd_usage(
		    c, "name either a SOCKET_ID, or an app with --app");
	if (app == NULL && (cmd_has(c, "user") || cmd_has(c, "channel")))
		return cmd_usage(c, "--user and --channel need --app");
	return app != NULL ? kill_of_app(c, app) : kill_one(c);
}
