/* SPDX-License-Identifier: MIT */
/*
 * channel.c: `pusherctl channels` and `pusherctl channel purge-cache`.  The
 * broker knows the channels; this file asks and prints.
 */

#include "cli/cmd/tail.h"

int
cmd_channels(struct cmd *c)
{
	const char *prefix = cmd_value(c, "prefix");
	int r = cmd_name_app(c, c->args[0]);

	if (r != CMD_OK)
		return r;
	return cmd_list(c, "channels",
	    cmd_args("app prefix", c->app.id, prefix == NULL ? "" : prefix),
	    NULL, "app channel subscriptions users cached");
}

/* ---- one channel ---- */

static const char worker_columns[] = "worker subscriptions",
		  member_columns[] = "user connections info";

static void
put_channel(struct out *o, struct json row)
{
	struct json cached = json_get(row, S("cached"));

	out_record_open(o, "channel");
	out_members(o, row, "app channel subscriptions users");
	out_members(o, cached,
	    "cached_bytes:bytes=bytes cached_age:seconds=age "
	    "cached_ttl:seconds=ttl");
	out_record_close(o);
	/* There, though perhaps empty. */
	out_table_open(o, "workers", worker_columns);
}

static void
on_part(void *out, struct json row)
{
	struct str type = json_get(row, S("type")).raw;

	if (str_eq(type, S("\"channel\""))) {
		put_channel(out, row);
	} else if (str_eq(type, S("\"worker\""))) {
		out_table_open(out, "workers", worker_columns);
		out_row(out, row);
	} else if (str_eq(type, S("\"member\""))) {
		out_table_open(out, "members", member_columns);
		out_row(out, row);
	}
}

int
cmd_channel_show(struct cmd *c)
{
	int r = cmd_name_app(c, c->args[0]);

	if (r == CMD_OK && cmd_has(c, "events"))
		return cmd_channel_events(c);
	if (r != CMD_OK)
		return r;
	out_group_open(c->out);
	r = cmd_ask(c, "channel",
	    cmd_args("app channel", c->app.id, c->args[1]), on_part, c->out);
	if (r == CMD_FAILED)
		cmd_note(
		    "to see the channels: %s channels %s", c->self, c->args[0]);
	if (r != CMD_OK)
		out_drop(c->out);
	out_group_close(c->out);
	return r;
}

int
cmd_channel_purge_cache(struct cmd *c)
{
	int r = cmd_name_app(c, c->args[0]);

	if (r != CMD_OK)
		return r;
	return cmd_ask_one(c, "purge-cache",
	    cmd_args("app channel", c->app.id, c->args[1]), "purged");
}
