/* SPDX-License-Identifier: MIT */
/*
 * connection.c: `pusherctl connections list|show|kill`.  The workers know
 * the connections; rows are printed as they come, unless they have to be
 * sorted: only then all of them are kept, here and not in the daemon.
 */

#include "cli/cmd/connection.h"

#include <stdlib.h>

#include "shared/base/base.h"
#include "shared/base/xmalloc.h"
#include "shared/json/json_write.h"
#include "shared/pusher/channel_name.h"

const struct cmd_option cmd_connections_list_options[] = {
	{ "channel", "C", "only those in this channel (needs APP)" },
	{ "user", "U", "only those signed in as this user (needs APP)" },
	{ "sort", "COLUMN",
	    "received, sent, bytes_sent, queued, subscriptions, age, idle: the "
	    "highest first; socket_id, "
	    "app, worker, address, user" },
	{ "reverse", NULL, "sort the other way round" },
	{ "limit", "N", "at most so many" },
	{ NULL, NULL, NULL },
};
const struct cmd_option cmd_connections_kill_options[] = {
	{ "app", "APP", "all of this app's," },
	{ "channel", "C", "of them those in this channel," },
	{ "user", "U", "or those signed in as this user" },
	{ "reconnect", NULL,
	    "the clients shall come back (4200); else they stay away (4009)" },
	{ "yes", NULL, "do not ask" },
	{ NULL, NULL, NULL },
};

const char *const cmd_connection_keys[] = { "socket_id", "app", "worker",
	"address", "age", "idle", "user", "subscriptions", "received", "sent",
	"bytes_sent", "queued" };
const size_t cmd_connection_nkeys = nitems(cmd_connection_keys);

static uint64_t
number(struct json row, const char *key)
{
	uint64_t n;

	return json_u64(json_get(row, str_of(key)), UINT64_MAX, &n) == 0 ? n
									 : 0;
}

/* The values, one by one, into an open row or record. */
static void
put_values(struct out *o, struct json row)
{
	struct json idle = json_get(row, S("idle"));

	out_json(o, "socket_id", json_get(row, S("socket_id")));
	out_json(o, "app", json_get(row, S("app")));
	out_json(o, "worker", json_get(row, S("worker")));
	out_json(o, "address", json_get(row, S("address")));
	out_seconds(o, "age", number(row, "age"));
	if (idle.kind == JSON_NUMBER)
		out_seconds(o, "idle", number(row, "idle"));
	else
		out_null(o, "idle");
	out_json(o, "user", json_get(row, S("user")));
	out_json(o, "subscriptions", json_get(row, S("subscriptions")));
	out_json(o, "received", json_get(row, S("received")));
	out_json(o, "sent", json_get(row, S("sent")));
	out_bytes(o, "bytes_sent", number(row, "bytes_sent"));
	out_bytes(o, "queued", number(row, "queued"));
}

void
cmd_connection_put(struct out *o, struct json row)
{
	out_row_open(o);
	put_values(o, row);
	out_row_close(o);
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
		cmd_connection_put(l->out, row);
		return;
	}
	if (l->n == l->cap) {
		l->cap = MAX(l->cap * 2, 64);
		l->rows = xreallocarray(l->rows, l->cap, sizeof(*l->rows));
	}
	l->rows[l->n++] = str_dup(row.raw);
}

/* Prints what was kept, and frees it. */
static void
put_sorted(struct listing *l, uint64_t limit)
{
	size_t i;

	if (l->n > 0)
		qsort_r(l->rows, l->n, sizeof(*l->rows), by_key, l);
	for (i = 0; i < l->n; i++) {
		if (limit == 0 || i < limit)
			cmd_connection_put(l->out, row_of(l->rows[i]));
		free(l->rows[i]);
	}
	free(l->rows);
}

static void
put_member(struct json_writer *w, const char *key, const char *value)
{
	if (value == NULL)
		return;
	json_key(w, key);
	json_put_str(w, str_of(value));
}

/* The arguments of both verbs: {"app":…,"channel":…,"user":…}, open. */
static void
begin_args(const struct cmd *c, struct json_writer *w, const struct app *a)
{
	json_writer_init(w);
	json_object_open(w);
	put_member(w, "app", a->id);
	put_member(w, "channel", cmd_value(c, "channel"));
	put_member(w, "user", cmd_value(c, "user"));
}

static int
check_sort(const struct cmd *c, const char *sort)
{
	size_t i;

	if (sort == NULL)
		return cmd_has(c, "reverse")
		    ? cmd_usage(c, "--reverse needs --sort COLUMN")
		    : CMD_OK;
	for (i = 0; i < cmd_connection_nkeys; i++)
		if (strcmp(sort, cmd_connection_keys[i]) == 0)
			return CMD_OK;
	return cmd_usage(c, "there is no column \"%s\" to sort by", sort);
}

int
cmd_connections_list(struct cmd *c)
{
	struct listing l = { .out = c->out,
		.sort = cmd_value(c, "sort"),
		.reverse = cmd_has(c, "reverse") };
	const char *text = cmd_value(c, "limit");
	struct app a = { .id = NULL };
	struct json_writer w;
	struct buf *args;
	uint64_t limit = 0;
	int r = check_sort(c, l.sort);

	if (r == CMD_OK && text != NULL &&
	    (str_to_u64(str_of(text), UINT32_MAX, &limit) == -1 || limit == 0))
		r = cmd_usage(c, "--limit takes a number above 0");
	if (r == CMD_OK && c->nargs == 0 &&
	    (cmd_has(c, "channel") || cmd_has(c, "user")))
		r = cmd_usage(c, "--channel and --user need an APP");
	if (r == CMD_OK && c->nargs > 0)
		r = cmd_read_app(c, c->args[0], &a);
	if (r != CMD_OK)
		return r;
	begin_args(c, &w, &a);
	if (limit != 0 && l.sort == NULL) {
		json_key(&w, "limit");
		json_put_u64(&w, limit);
	}
	json_object_close(&w);
	args = json_writer_take(&w);
	app_clear(&a);
	out_table_order(c->out,
	    "socket_id app user address age idle queued sent received "
	    "bytes_sent subscriptions worker");
	out_table_open(c->out, NULL, cmd_connection_keys, cmd_connection_nkeys);
	r = cmd_ask(c, "connections", buf_str(args), on_row, &l);
	if (r != CMD_OK)
		out_drop(c->out);
	put_sorted(&l, limit);
	out_table_close(c->out);
	buf_unref(args);
	return r;
}

/* ---- show ---- */

static const char *const channel_keys[] = { "channel", "user", "on" };

static void
put_connection(void *arg, struct json row)
{
	struct json list = json_get(row, S("channels")), e;
	struct out *o = arg;
	uint64_t more = number(row, "channels_not_shown");
	size_t pos = 0;

	out_record_open(o, "connection");
	put_values(o, row);
	out_json(o, "compression", json_get(row, S("compression")));
	out_bytes(o, "bytes_saved", number(row, "bytes_saved"));
	if (more > 0 || out_is_json(o))
		out_num(o, "channels_not_shown", more);
	out_record_close(o);
	out_table_open(o, "channels", channel_keys, nitems(channel_keys));
	while (json_next(list, &pos, &e)) {
		out_row_open(o);
		out_json(o, "channel", json_get(e, S("channel")));
		out_json(o, "user", json_get(e, S("user")));
		out_json(o, "on", json_get(e, S("on")));
		out_row_close(o);
	}
	out_table_close(o);
}

static int
check_socket_id(const struct cmd *c, const char *text)
{
	if (socket_id_is_valid(str_of(text)))
		return CMD_OK;
	return cmd_usage(
	    c, "\"%s\" is no socket id: digits, a dot, digits", text);
}

/* {"socket_id":…} */
static struct buf *
socket_id_args(const char *text)
{
	struct json_writer w;

	json_writer_init(&w);
	json_object_open(&w);
	put_member(&w, "socket_id", text);
	json_object_close(&w);
	return json_writer_take(&w);
}

int
cmd_connections_show(struct cmd *c)
{
	struct buf *args;
	int r = check_socket_id(c, c->args[0]);

	if (r != CMD_OK)
		return r;
	args = socket_id_args(c->args[0]);
	out_group_open(c->out);
	r = cmd_ask_one(c, "connection", buf_str(args), put_connection, c->out);
	if (r == CMD_FAILED)
		cmd_note(
		    "to see which there are: %s connections list", c->self);
	if (r != CMD_OK)
		out_drop(c->out);
	out_group_close(c->out);
	buf_unref(args);
	return r;
}

/* ---- kill ---- */

static void
on_closed(void *arg, struct json row)
{
	uint64_t *n = arg;

	*n = number(row, "closed"); /* it grows; the last one counts */
}

int
cmd_connection_kill(const struct cmd *c, struct str args, const char *nobody)
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
	bool user = cmd_has(c, "user");
	struct json_writer w;
	struct buf *args;
	struct app a;
	int r = cmd_read_app(c, which, &a);

	if (r != CMD_OK)
		return r;
	if (!user && !cmd_has(c, "yes"))
		r = cmd_confirm(c, "Close all clients%s%s of app %s (%s)?",
		    cmd_has(c, "channel") ? " in channel " : "",
		    cmd_has(c, "channel") ? cmd_value(c, "channel") : "", a.id,
		    a.name);
	if (r == CMD_OK) {
		begin_args(c, &w, &a);
		json_key(&w, "reconnect");
		json_put_bool(&w, cmd_has(c, "reconnect"));
		json_object_close(&w);
		args = json_writer_take(&w);
		r = cmd_connection_kill(c, buf_str(args),
		    user ? "nobody is signed in as that user" : NULL);
		buf_unref(args);
	}
	app_clear(&a);
	return r;
}

static int
kill_one(struct cmd *c)
{
	struct json_writer w;
	struct buf *args;
	int r = check_socket_id(c, c->args[0]);

	if (r != CMD_OK)
		return r;
	json_writer_init(&w);
	json_object_open(&w);
	put_member(&w, "socket_id", c->args[0]);
	json_key(&w, "reconnect");
	json_put_bool(&w, cmd_has(c, "reconnect"));
	json_object_close(&w);
	args = json_writer_take(&w);
	r = cmd_connection_kill(c, buf_str(args), NULL);
	buf_unref(args);
	return r;
}

int
cmd_connections_kill(struct cmd *c)
{
	const char *app = cmd_value(c, "app");

	if ((app != NULL) == (c->nargs > 0))
		return cmd_usage(c, "a SOCKET_ID or --app, one of them");
	if (app == NULL && (cmd_has(c, "user") || cmd_has(c, "channel")))
		return cmd_usage(c, "--user and --channel need --app");
	return app != NULL ? kill_of_app(c, app) : kill_one(c);
}
