/* SPDX-License-Identifier: MIT */
/*
 * publish.c: `pusherctl publish`.  DATA is sent byte for byte: on the wire it
 * is a string, so nothing here parses it.  The broker checks names and sizes;
 * its sentence is shown.
 */

#include "cli/cmd/cmd.h"
#include "shared/base/buf.h"
#include "shared/ipc/ipc_msg.h"
#include "shared/net/ws_frame.h"
#include "shared/pusher/channel_name.h"

#define DATA_MAX (1u << 20) /* the highest that max_event_bytes may be */

static int
publish(struct cmd *c, struct str data)
{
	const char *wait = cmd_value(c, "wait");
	uint64_t ms = 0;
	int r;

	if (wait != NULL && str_to_ms(str_of(wait), QUERY_WAIT_MS, &ms) == -1)
		return cmd_usage(c,
		    "--wait is \"%s\": must be a time like 500ms or 2s, up to "
		    "8s",
		    wait);

	if (!utf8_is_valid(data))
		return cmd_fail("DATA is not UTF-8");
	r = cmd_name_app(c, c->args[0]);
	if (r != CMD_OK)
		return r;
	return cmd_ask_one(c, "publish",
	    cmd_args("app channel event =data socket_id #wait_ms", c->app.id,
		c->args[1], c->args[2], data, cmd_value(c, "socket-id"), ms),
	    wait == NULL ? "subscriptions"
			 : "subscriptions resumable confirmed ms");
}

int
cmd_publish(struct cmd *c)
{
	const char *socket_id = cmd_value(c, "socket-id");
	struct buf *b;
	int r;

	if (socket_id != NULL && !socket_id_is_valid(str_of(socket_id)))
		return cmd_usage(c,
		    "\"%s\" is not a socket id: digits, a dot, digits",
		    socket_id);
	if (strcmp(c->args[3], "-") != 0)
		return publish(c, str_of(c->args[3]));
	b = cmd_read_file("-", DATA_MAX);
	if (b == NULL)
		return CMD_FAILED;
	r = publish(c, buf_str(b));
	buf_unref(b);
	return r;
}
