/* SPDX-License-Identifier: MIT */
/*
 * user.c: `pusherctl users list|show|kick`: who is signed in (Pusher
 * documentation, "User authentication").  Members of presence channels are
 * shown by `channel show`; they need not be signed in.
 */

#include <stdlib.h>
#include <string.h>

#include "cli/cmd/connection.h"
#include "cli/cmd/row.h"
#include "shared/base/base.h"
#include "shared/base/xmalloc.h"
#include "shared/json/json_write.h"

const struct cmd_option cmd_users_kick_options[] = {
	{ "reconnect", NULL,
	    "the clients shall come back (4200); else they stay away (4009)" },
	{ NULL, NULL, NULL },
};

static const char *const user_keys[] = { "app", "user", "connections",
	"watchers" };

/* {"app":…,"user":…,"reconnect":true}; what is NULL or false is left out. */
static struct buf *
make_args(const char *app, const char *user, bool reconnect)
{
	struct json_writer w;

	json_writer_init(&w);
	json_object_open(&w);
	if (app != NULL) {
		json_key(&w, "app");
		json_put_str(&w, str_of(app));
	}
	if (user != NULL) {
		json_key(&w, "user");
		json_put_str(&w, str_of(user));
	}
	if (reconnect) {
		json_key(&w, "reconnect");
		json_put_bool(&w, true);
	}
	json_object_close(&w);
	return json_writer_take(&w);
}

static void
put_values(struct out *o, struct json row)
{
	size_t i;

	for (i = 0; i < nitems(user_keys); i++)
		out_json(o, user_keys[i], json_get(row, str_of(user_keys[i])));
}

static void
put_row(void *arg, struct json row)
{
	out_row_open(arg);
	put_values(arg, row);
	out_row_close(arg);
}

/* Asks for the rows of all apps, or of the one that the command names. */
static int
list_rows(struct cmd *c, const char *verb, const char *const *keys,
    size_t nkeys, void (*put)(void *out, struct json row))
{
	struct app a = { .id = NULL };
	struct buf *args;
	int r = CMD_OK;

	if (c->nargs > 0)
		r = cmd_read_app(c, c->args[0], &a);
	if (r != CMD_OK)
		return r;
	args = make_args(a.id, NULL, false);
	app_clear(&a);
	out_table_open(c->out, NULL, keys, nkeys);
	r = cmd_ask(c, verb, buf_str(args), put, c->out);
	if (r != CMD_OK)
		out_drop(c->out);
	out_table_close(c->out);
	buf_unref(args);
	return r;
}

int
cmd_users_list(struct cmd *c)
{
	return list_rows(c, "users", user_keys, nitems(user_keys), put_row);
}

static const char *const session_keys[] = { "app", "session", "state", "since",
	"socket_id", "channels", "confirmed" };

static void
put_session(void *arg, struct json row)
{
	out_row_open(arg);
	for (size_t i = 0; i < nitems(session_keys); i++) {
		const char *key = session_keys[i];

		if (strcmp(key, "since") == 0)
			row_put_time(arg, key, row_u64(row, key));
		else
			out_json(arg, key, json_get(row, str_of(key)));
	}
	out_row_close(arg);
}

int
cmd_sessions(struct cmd *c)
{
	return list_rows(
	    c, "sessions", session_keys, nitems(session_keys), put_session);
}

struct showing {
	struct out *out;
	bool table; /* it is open */
};

static void
on_row(void *arg, struct json row)
{
	struct showing *s = arg;

	if (json_get(row, S("type")).kind != JSON_NONE && !s->table) {
		out_record_open(s->out, "user");
		put_values(s->out, row);
		out_record_close(s->out);
		out_table_order(s->out,
		    "socket_id address age idle queued sent received "
		    "bytes_sent subscriptions worker");
		out_table_open(s->out, "connections", cmd_connection_keys,
		    cmd_connection_nkeys);
		s->table = true;
	} else if (s->table) {
		cmd_connection_put(s->out, row);
	}
}

/* What to type next, after a user that nobody is signed in as. */
static void
hint(const struct cmd *c)
{
	cmd_note("to see who is: %s users list %s", c->self, c->args[0]);
}

int
cmd_users_show(struct cmd *c)
{
	struct showing s = { .out = c->out };
	struct buf *args;
	struct app a;
	int r = cmd_read_app(c, c->args[0], &a);

	if (r != CMD_OK)
		return r;
	args = make_args(a.id, c->args[1], false);
	app_clear(&a);
	out_group_open(c->out);
	r = cmd_ask(c, "user", buf_str(args), on_row, &s);
	if (r == CMD_FAILED)
		hint(c);
	if (r != CMD_OK)
		out_drop(c->out);
	if (s.table)
		out_table_close(c->out);
	out_group_close(c->out);
	buf_unref(args);
	return r;
}

int
cmd_users_kick(struct cmd *c)
{
	struct buf *args;
	struct app a;
	char *nobody;
	int r = cmd_read_app(c, c->args[0], &a);

	if (r != CMD_OK)
		return r;
	args = make_args(a.id, c->args[1], cmd_has(c, "reconnect"));
	nobody = xasprintf(
	    "nobody is signed in to app %s as \"%s\"", a.id, c->args[1]);
	app_clear(&a);
	r = cmd_connection_kill(c, buf_str(args), nobody);
	if (r == CMD_FAILED)
		hint(c);
	free(nobody);
	buf_unref(args);
	return r;
}
