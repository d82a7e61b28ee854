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

/* {"app":…,key:…} without what is NULL; the caller's reference. */
static struct buf *
make_args(const char *app, const char *key, const char *value)
{
	struct json_writer w;

	json_writer_init(&w);
	json_object_open(&w);
	if (app != NULL) {
		json_key(&w, "app");
		json_put_str(&w, str_of(app));
	}
	if (value != NULL) {
		json_key(&w, key);
		json_put_str(&w, str_of(value));
	}
	json_object_close(&w);
	return json_writer_take(&w);
}

int
cmd_channels(struct cmd *c)
{
	const char *prefix = cmd_value(c, "prefix");
	struct app a = { .id = NULL };
	struct buf *args;
	int r = CMD_OK;

	if (c->nargs > 0)
		r = cmd_read_app(c, c->args[0], &a);
	if (r != CMD_OK)
		return r;
	args = make_args(a.id, "prefix", prefix == NULL ? "" : prefix);
	app_clear(&a);
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
	struct buf *args;
	struct app a;
	int r = cmd_read_app(c, c->args[0], &a);

	if (r != CMD_OK)
		return r;
	args = make_args(a.id, "channel", c->args[1]);
	app_clear(&a);
	r = cmd_ask(c, "purge-cache", buf_str(args), put_purged, c->out);
	buf_unref(args);
	return r;
}
