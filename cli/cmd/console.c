/* SPDX-License-Identifier: MIT */
/*
 * console.c: `pusherctl console`: a URL that opens the console once.  The token
 * is in the fragment, which a browser sends to no server, so that it is in no
 * log.  The broker makes it and stores a hash of it.
 */

#include "cli/cmd/console.h"

const struct cmd_option cmd_console_options[] = {
	{ "app", "APP", "only this app (default: the whole server)" },
	{ "read-only", NULL, "a session that can change nothing" },
	{ "ttl", "SECONDS",
	    "in which the URL can be opened once (60; at most 3600)" },
	{ NULL, NULL, NULL },
};

int
cmd_console(struct cmd *c)
{
	const char *ttl = cmd_value(c, "ttl");
	uint64_t seconds = 0;
	int r;

	if (ttl != NULL &&
	    (str_to_u64(str_of(ttl), 3600, &seconds) == -1 || seconds == 0))
		return cmd_usage(c, "--ttl takes 1 to 3600 seconds");
	r = cmd_name_app(c, cmd_value(c, "app"));
	if (r != CMD_OK)
		return r;
	r = cmd_ask_one(c, "console-token",
	    cmd_args("app ?read_only #ttl", c->app.id, cmd_has(c, "read-only"),
		seconds),
	    "url");
	if (r == CMD_OK)
		out_hint(c->out,
		    "\nIt works once.  From another machine: ssh -L "
		    "6003:127.0.0.1:6003 HOST");
	return r;
}
