/* SPDX-License-Identifier: MIT */
/*
 * user.c: `pusherctl users list|show|kick`: signed-in users (Pusher
 * documentation, "User authentication").  `channel show` lists the members of
 * presence channels; they need not be signed in.
 */

#include <stdlib.h>

#include "cli/cmd/connection.h"
#include "shared/base/xmalloc.h"

const struct cmd_option cmd_users_kick_options[] = {
	{ "reconnect", NULL,
	    "close with 4200: clients reconnect; without it with 4009: they do "
	    "not" },
	{ NULL, NULL, NULL },
};

static const char user_columns[] = "app user connections watchers";

/* The rows of all apps, or of the one that the command names. */
static int
list(struct cmd *c, const char *verb, const char *columns)
{
	int r = cmd_name_app(c, c->args[0]);

	return r != CMD_OK
	    ? r
	    : cmd_list(c, verb, cmd_args("app", c->app.id), NULL, columns);
}

int
cmd_users_list(struct cmd *c)
{
	return list(c, "users", user_columns);
}

int
cmd_sessions(struct cmd *c)
{
	return list(c, "sessions",
	    "app session state since:time socket_id channels confirmed");
}

static void
on_session_row(void *out, struct json row)
{
	static const char columns[] = "channel answer missed";

	if (str_eq(json_get(row, S("type")).raw, S("\"session\""))) {
		out_record(out, "session", row,
		    "app session state since:time socket_id channels "
		    "confirmed newest");
		/* There, though perhaps empty. */
		out_table_open(out, "channels", columns);
	} else {
		out_row(out, row);
	}
}

int
cmd_sessions_show(struct cmd *c)
{
	int r;

	out_group_open(c->out);
	r = cmd_ask(c, "session", cmd_args("session", c->args[0]),
	    on_session_row, c->out);
	if (r == CMD_FAILED)
		cmd_note("to see the sessions: %s sessions", c->self);
	if (r != CMD_OK)
		out_drop(c->out);
	out_group_close(c->out);
	return r;
}

static void
on_row(void *out, struct json row)
{
	if (json_get(row, S("type")).kind != JSON_NONE) {
		out_record(out, "user", row, user_columns);
		cmd_connection_table(out, "connections");
	} else {
		out_row(out, row);
	}
}

/* The next command after a user that is not signed in. */
static void
hint(const struct cmd *c)
{
	cmd_note("to see the users: %s users list %s", c->self, c->args[0]);
}

int
cmd_users_show(struct cmd *c)
{
	int r = cmd_name_app(c, c->args[0]);

	if (r != CMD_OK)
		return r;
	out_group_open(c->out);
	r = cmd_ask(c, "user", cmd_args("app user", c->app.id, c->args[1]),
	    on_row, c->out);
	if (r == CMD_FAILED)
		hint(c);
	if (r != CMD_OK)
		out_drop(c->out);
	out_group_close(c->out);
	return r;
}

int
cmd_users_kick(struct cmd *c)
{
	char *nobody;
	int r = cmd_name_app(c, c->args[0]);

	if (r != CMD_OK)
		return r;
	nobody = xasprintf(
	    "nobody is signed in to app %s as \"%s\"", c->app.id, c->args[1]);
	r = cmd_connection_kill(c,
	    cmd_args("app user ?reconnect", c->app.id, c->args[1],
		cmd_has(c, "reconnect")),
	    nobody);
	if (r == CMD_FAILED)
		hint(c);
	free(nobody);
	return r;
}
