/* SPDX-License-Identifier: MIT */
/*
 * cmd_channel.c: `pusherctl channels` and `pusherctl channel purge-cache`.
 * What a channel is, the broker knows; this only asks and prints.
 */

#include <stdlib.h>

#include "cli/cmd.h"
#include "shared/base.h"
#include "shared/json_write.h"

static const char *const channel_keys[] = { "app", "channel", "subscriptions",
	"users", "cached" };

static void
put_channel(void *arg, struct json row)
{
	struct out *o = arg;
	size_t i;

	out_row_open(o);
	for (i = 0; i < nitems(channel_keys); i++)
		out_json(
		    o, channel_keys[i], json_get(row, str_of(channel_keys[i])));
	out_row_close(o);
}

int
cmd_channels(struct cmd *c)
{
	const char *prefix = cmd_value(c, "prefix");
	struct json_writer w;
	struct buf *args;
	struct app a;
	int r;

	json_writer_init(&w);
	json_object_open(&w);
	if (c->nargs > 0) {
		r = cmd_read_app(c, c->args[0], &a);
		if (r != CMD_OK) {
			buf_unref(json_writer_take(&w));
			return r;
		}
		json_key(&w, "app");
		json_put_str(&w, str_of(a.id));
		app_clear(&a);
	}
	json_key(&w, "prefix");
	json_put_str(&w, prefix == NULL ? S("") : str_of(prefix));
	json_object_close(&w);
	args = json_writer_take(&w);
	out_table_open(c->out, NULL, channel_keys, nitems(channel_keys));
	r = cmd_ask(c, "channels", buf_str(args), put_channel, c->out);
	if (r != CMD_OK)
		out_drop(c->out);
	out_table_close(c->out);
	buf_unref(args);
	return r;
}

static void
put_purged(void *arg, struct json row)
{
	struct out *o = arg;

	out_record_open(o, NULL);
	out_json(o, "purged", json_get(row, S("purged")));
	out_record_close(o);
}

int
cmd_channel_purge_cache(struct cmd *c)
{
	struct json_writer w;
	struct buf *args;
	struct app a;
	int r = cmd_read_app(c, c->args[0], &a);

	if (r != CMD_OK)
		return r;
	json_writer_init(&w);
	json_object_open(&w);
	json_key(&w, "app");
	json_put_str(&w, str_of(a.id));
	json_key(&w, "channel");
	json_put_str(&w, str_of(c->args[1]));
	json_object_close(&w);
	app_clear(&a);
	args = json_writer_take(&w);
	r = cmd_ask(c, "purge-cache", buf_str(args), put_purged, c->out);
	buf_unref(args);
	return r;
}
