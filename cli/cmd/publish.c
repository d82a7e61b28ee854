/* SPDX-License-Identifier: MIT */
/*
 * publish.c: `pusherctl publish`.  DATA goes out byte for byte: on the
 * wire it is a string, so nothing here looks into it.  Names and sizes are
 * the broker's to judge; its sentence is shown.
 */

#include <stdlib.h>

#include "cli/cmd/cmd.h"
#include "shared/base/buf.h"
#include "shared/json/json_write.h"
#include "shared/net/ws_frame.h"
#include "shared/pusher/channel_name.h"

#define DATA_MAX (1u << 20) /* the highest that max_event_bytes may be */

static void
put_result(void *arg, struct json row)
{
	struct out *o = arg;

	out_record_open(o, NULL);
	out_json(o, "subscriptions", json_get(row, S("subscriptions")));
	out_record_close(o);
}

static struct buf *
make_args(const struct cmd *c, const struct app *a, struct str data)
{
	const char *socket_id = cmd_value(c, "socket-id");
	struct json_writer w;

	json_writer_init(&w);
	json_object_open(&w);
	json_key(&w, "app");
	json_put_str(&w, str_of(a->id));
	json_key(&w, "channel");
	json_put_str(&w, str_of(c->args[1]));
	json_key(&w, "event");
	json_put_str(&w, str_of(c->args[2]));
	json_key(&w, "data");
	json_put_str(&w, data);
	if (socket_id != NULL) {
		json_key(&w, "socket_id");
		json_put_str(&w, str_of(socket_id));
	}
	json_object_close(&w);
	return json_writer_take(&w);
}

static int
publish(struct cmd *c, struct str data)
{
	struct buf *args;
	struct app a;
	int r;

	if (!utf8_is_valid(data))
		return cmd_fail("DATA is not UTF-8");
	r = cmd_read_app(c, c->args[0], &a);
	if (r != CMD_OK)
		return r;
	args = make_args(c, &a, data);
	app_clear(&a);
	r = cmd_ask_one(c, "publish", buf_str(args), put_result, c->out);
	buf_unref(args);
	return r;
}

int
cmd_publish(struct cmd *c)
{
	const char *socket_id = cmd_value(c, "socket-id");
	struct buf *b;
	int r;

	if (socket_id != NULL && !socket_id_is_valid(str_of(socket_id)))
		return cmd_usage(c,
		    "\"%s\" is no socket id: digits, a dot, digits", socket_id);
	if (strcmp(c->args[3], "-") != 0)
		return publish(c, str_of(c->args[3]));
	b = cmd_read_file("-", DATA_MAX);
	if (b == NULL)
		return CMD_FAILED;
	r = publish(c, buf_str(b));
	buf_unref(b);
	return r;
}
