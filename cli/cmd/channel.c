/* SPDX-License-Identifier: MIT */
/*
 * channel.c: `pusherctl channels` and `pusherctl channel purge-cache`.
 * What a channel is, the broker knows; this only asks and prints.
 */

#include <stdlib.h>

#include "cli/cmd/cmd.h"
#include "shared/base/base.h"
#include "shared/json/json_write.h"

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

/* ---- one channel ---- */

static const char *const worker_keys[] = { "worker", "subscriptions" };
static const char *const member_keys[] = { "user", "connections", "info" };

struct showing {
	struct out *out;
	bool workers, members; /* that table is open */
};

/* 0 for what is no number. */
static uint64_t
number(struct json row, const char *key)
{
	uint64_t n;

	return json_u64(json_get(row, str_of(key)), UINT64_MAX, &n) == 0 ? n
									 : 0;
}

static void
put_one(struct out *o, struct json row)
{
	struct json cached = json_get(row, S("cached"));

	out_record_open(o, "channel");
	out_json(o, "app", json_get(row, S("app")));
	out_json(o, "channel", json_get(row, S("channel")));
	out_json(o, "subscriptions", json_get(row, S("subscriptions")));
	out_json(o, "users", json_get(row, S("users")));
	if (cached.kind == JSON_OBJECT) {
		out_bytes(o, "cached_bytes", number(cached, "bytes"));
		out_seconds(o, "cached_age", number(cached, "age"));
		out_seconds(o, "cached_ttl", number(cached, "ttl"));
	} else {
		out_null(o, "cached_bytes");
		out_null(o, "cached_age");
		out_null(o, "cached_ttl");
	}
	out_record_close(o);
}

static void
put_cells(struct out *o, struct json row, const char *const *keys, size_t n)
{
	size_t i;

	out_row_open(o);
	for (i = 0; i < n; i++)
		out_json(o, keys[i], json_get(row, str_of(keys[i])));
	out_row_close(o);
}

static void
on_part(void *arg, struct json row)
{
	struct showing *s = arg;
	struct str type = json_get(row, S("type")).raw;

	if (str_eq(type, S("\"channel\"")) && !s->workers) {
		put_one(s->out, row);
		out_table_open(
		    s->out, "workers", worker_keys, nitems(worker_keys));
		s->workers = true;
	} else if (str_eq(type, S("\"worker\"")) && s->workers && !s->members) {
		put_cells(s->out, row, worker_keys, nitems(worker_keys));
	} else if (str_eq(type, S("\"member\"")) && s->workers) {
		if (!s->members) {
			out_table_close(s->out);
			out_table_open(s->out, "members", member_keys,
			    nitems(member_keys));
		}
		s->members = true;
		put_cells(s->out, row, member_keys, nitems(member_keys));
	}
}

int
cmd_channel_show(struct cmd *c)
{
	struct showing s = { .out = c->out };
	struct buf *args;
	struct app a;
	int r = cmd_read_app(c, c->args[0], &a);

	if (r != CMD_OK)
		return r;
	args = make_args(a.id, "channel", c->args[1]);
	app_clear(&a);
	out_group_open(c->out);
	r = cmd_ask(c, "channel", buf_str(args), on_part, &s);
	if (r == CMD_FAILED)
		cmd_note("to see which there are: %s channels %s", c->self,
		    c->args[0]);
	if (r != CMD_OK)
		out_drop(c->out);
	if (s.workers)
		out_table_close(c->out);
	out_group_close(c->out);
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
	r = cmd_ask_one(c, "purge-cache", buf_str(args), put_purged, c->out);
	buf_unref(args);
	return r;
}
