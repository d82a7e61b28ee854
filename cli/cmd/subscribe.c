/* SPDX-License-Identifier: MIT */
/*
 * subscribe.c: `pusherctl subscribe`: a client in the terminal.  It connects by
 * WebSocket like every other client, and signs with the app's secret from the
 * database.  It runs until the server closes it or the user ends it.
 */

#include <errno.h>
#include <stdlib.h>

#include "cli/client/ws_client.h"
#include "cli/cmd/event_line.h"
#include "cli/cmd/sign.h"
#include "cli/cmd/tail.h"
#include "shared/base/clock.h"
#include "shared/base/xmalloc.h"
#include "shared/json/json_write.h"
#include "shared/proc/session_table.h"
#include "shared/pusher/channel_name.h"

const struct cmd_option cmd_subscribe_options[] = {
	{ "user", "ID", "your user id in presence channels" },
	{ "info", "JSON", "your user_info in presence channels" },
	{ "events", "NAMES", "only these events; commas, * and ? are allowed" },
	{ "grep", "RE",
	    "only events whose \"EVENT DATA\" matches this extended regular "
	    "expression" },
	{ "limit", "N", "exit after N events" },
	{ "resume", "ID",
	    "the id of the session: 16 to 64 characters of A-Z a-z 0-9 _ -" },
	{ NULL, NULL, NULL },
};

struct session {
	struct cmd *c;
	struct app *app;
	struct ws_client ws;
	struct event_filter filter;
	char *socket_id;
	size_t waiting; /* channels that are not confirmed */
	bool refused;
};

/* {"user_id":…,"user_info":…}; free(3) it. */
static char *
make_channel_data(const struct cmd *c)
{
	const char *info = cmd_value(c, "info");
	struct json_writer w;
	struct buf *b;
	char *text;

	json_writer_init(&w);
	json_object_open(&w);
	json_member_str(&w, "user_id", str_of(cmd_value(c, "user")));
	if (info != NULL)
		json_member_raw(&w, "user_info", str_of(info));
	json_object_close(&w);
	b = json_writer_take(&w);
	text = str_dup(buf_str(b));
	buf_unref(b);
	return text;
}

static void
put_text(struct json_writer *w, const char *key, const char *value)
{
	json_member_str(w, key, str_of(value));
}

static int
subscribe(struct session *s, const char *channel)
{
	unsigned flags = channel_flags(str_of(channel));
	char *data = NULL, *auth = NULL;
	struct json_writer w;
	struct buf *b;
	int r;

	if (flags & CHANNEL_PRESENCE)
		data = make_channel_data(s->c);
	if (flags & CHANNEL_PRIVATE)
		auth = cmd_sign_channel(s->app, s->socket_id, channel, data);
	json_writer_init(&w);
	json_object_open(&w);
	put_text(&w, "event", "pusher:subscribe");
	json_key(&w, "data");
	json_object_open(&w);
	put_text(&w, "channel", channel);
	if (auth != NULL)
		put_text(&w, "auth", auth);
	if (data != NULL)
		put_text(&w, "channel_data", data);
	json_object_close(&w);
	json_object_close(&w);
	b = json_writer_take(&w);
	r = ws_client_send(&s->ws, buf_str(b));
	buf_unref(b);
	free(auth);
	free(data);
	return r;
}

/* After the greeting the texts to sign are known. */
static int
on_greeting(struct session *s, struct json frame)
{
	char *data = json_dup(json_get(frame, S("data")));
	struct json v;
	const char *err;

	if (data != NULL && json_parse(str_of(data), &v, &err) == 0)
		s->socket_id = json_dup(json_get(v, S("socket_id")));
	free(data);
	if (s->socket_id == NULL)
		return cmd_fail("the server's greeting names no socket id");
	for (size_t i = 1; i < s->c->nargs; i++, s->waiting++)
		if (subscribe(s, s->c->args[i]) == -1)
			return cmd_fail("%s", s->ws.why);
	return CMD_OK;
}

/* Prints an error; ends unless every channel is subscribed. */
static int
on_error(struct session *s, struct json frame)
{
	struct json data = json_get(frame, S("data"));
	char *text = data.kind == JSON_OBJECT
	    ? json_dup(json_get(data, S("message")))
	    : json_dup(json_get(frame, S("data")));
	char *clean = out_clean(text == NULL ? data.raw : str_of(text));
	int r = CMD_OK;

	if (s->waiting > 0 || s->socket_id == NULL)
		r = cmd_fail("refused: %s", clean);
	else
		cmd_note("the server says: %s", clean);
	free(clean);
	free(text);
	return r;
}

static int
on_message(struct session *s, struct str text)
{
	struct event_line l = { .time_ms = clock_ms(CLOCK_REALTIME) };
	char *event, *channel;
	const char *err;
	int r = CMD_OK;

	if (json_parse(text, &l.frame, &err) == -1 ||
	    l.frame.kind != JSON_OBJECT ||
	    (event = json_dup(json_get(l.frame, S("event")))) == NULL)
		return cmd_fail("the server sent no event");
	if (strcmp(event, "pusher:connection_established") == 0) {
		r = on_greeting(s, l.frame);
	} else if (strcmp(event, "pusher:error") == 0) {
		r = on_error(s, l.frame);
	} else if (strcmp(event, "pusher_internal:subscription_succeeded") ==
	    0) {
		channel = json_dup(json_get(l.frame, S("channel")));
		cmd_note("subscribed to %s as %s",
		    channel == NULL ? "?" : channel, s->socket_id);
		s->waiting -= s->waiting > 0;
		free(channel);
	} else if (strcmp(event, "pusher:subscription_error") == 0) {
		; /* pusher:error follows and says the same */
	} else if (!str_starts(str_of(event), S("pusher:p"))) {
		event_line_put(&s->filter, &l, out_is_json(s->c->out));
	}
	free(event);
	return r;
}

static int
run(struct session *s)
{
	struct str text;
	int r = CMD_OK, n;

	while (r == CMD_OK && !s->filter.done) {
		n = ws_client_next(&s->ws, &text);
		if (n == -1)
			return cmd_fail("%s", s->ws.why);
		if (n == 0 && s->ws.code != 0)
			return cmd_fail("closed by the server: %u %s",
			    s->ws.code, s->ws.reason);
		if (n == 0)
			return cmd_fail("the server hung up");
		r = on_message(s, text);
	}
	return r;
}

static int
check(const struct cmd *c, const struct app *a)
{
	const char *info = cmd_value(c, "info"), *err;
	struct json v;
	int r;

	if (cmd_has(c, "resume") &&
	    !session_id_is_valid(str_of(cmd_value(c, "resume"))))
		return cmd_usage(c,
		    "--resume is an id of 16 to 64 characters of A-Z a-z 0-9 "
		    "_ -");
	if (info != NULL && json_parse(str_of(info), &v, &err) == -1)
		return cmd_usage(c, "--info is not JSON: %s", err);
	for (size_t i = 1; i < c->nargs; i++) {
		if ((r = sign_check_channel(c, a, c->args[i])) != CMD_OK)
			return r;
		if ((channel_flags(str_of(c->args[i])) & CHANNEL_PRESENCE) &&
		    !cmd_has(c, "user"))
			return cmd_usage(c,
			    "%s is a presence channel: say who you are with "
			    "--user ID",
			    c->args[i]);
	}
	return CMD_OK;
}

/* There is no connection. */
static int
not_open(const struct session *s, const char *where)
{
	if (strcmp(s->ws.why, strerror(ECONNREFUSED)) != 0)
		return cmd_fail("%s: %s", where, s->ws.why);
	cmd_note("%s: %s: start pusherd, or name its configuration file: -c "
		 "FILE",
	    where, s->ws.why);
	return CMD_NO_DAEMON;
}

static int
connect_and_run(struct session *s)
{
	const char *resume = cmd_value(s->c, "resume");
	char *path, *where, *why = NULL;
	struct tls_client tls = { 0 };
	struct sock_addr address;
	struct cmd_address at;
	int r = cmd_find_address(s->c, s->app, &at);

	if (r != CMD_OK) {
		free(at.host);
		return r;
	}
	where = xasprintf("%s:%u", at.host, at.port);
	path = xasprintf("%s%s/app/%s?protocol=7&client=pusherctl&version=1.0",
	    resume == NULL ? "" : "/app/resume/", resume == NULL ? "" : resume,
	    s->app->key);
	if (sock_addr_parse(str_of(where), &address) == -1)
		r = cmd_fail("%s: no address", where);
	else if (at.tls && tls_client_init(&tls, s->c->conf, &why) == -1)
		r = cmd_fail("%s", why);
	else if (ws_client_open(
		     &s->ws, &address, at.tls ? &tls : NULL, where, path) == -1)
		r = not_open(s, where);
	else
		r = run(s);
	ws_client_clear(&s->ws);
	tls_client_clear(&tls);
	free(why);
	free(path);
	free(where);
	free(at.host);
	return r;
}

int
cmd_subscribe(struct cmd *c)
{
	struct app a;
	struct session s = { .c = c, .app = &a, .ws.fd = -1 };
	int r = cmd_read_app(c, c->args[0], &a);

	if (r != CMD_OK)
		return r;
	r = check(c, &a);
	if (r == CMD_OK)
		r = event_filter_init(&s.filter, c);
	if (r == CMD_OK)
		r = connect_and_run(&s);
	event_filter_clear(&s.filter);
	free(s.socket_id);
	app_clear(&a);
	return r;
}
