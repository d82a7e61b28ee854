/* SPDX-License-Identifier: MIT */
/*
 * console_answer.c: the broker's answers to requests of the console: a
 * command's output as one JSON text, a stream's as events (HTML Living
 * Standard, "Server-sent events").  Owns struct console_request.  A stream
 * whose reader stops loses lines, and is told how many.
 */

#include "worker/api/console_answer.h"

#include <stdio.h>
#include <stdlib.h>

#include "shared/base/buf.h"
#include "shared/json/json_slice.h"
#include "shared/json/json_write.h"
#include "worker/api/console_reply.h"
#include "worker/conn/http_request.h"
#include "worker/conn/remote.h"
#include "worker/core/core.h"
#include "worker/link/link.h"

#define BEAT_SECONDS 15       /* between two signs of life of a stream */
#define STREAM_MAX (1u << 20) /* unread bytes of a stream's client, at most */
#define LINE_BYTES (4u << 20) /* of one line */

/* ---- streams ---- */

static void
begin_stream(struct conn *c)
{
	c->http->console->begun = true;
	c->http->keep_alive = false;
	conn_queue_bytes(c,
	    S("HTTP/1.1 200 OK\r\n"
	      "Content-Type: text/event-stream\r\n" CONSOLE_POLICY
		    CONSOLE_NO_STORE "X-Accel-Buffering: no\r\n"
	      "Connection: close\r\n\r\n"));
	conn_set_timeout(c, BEAT_SECONDS);
}

/* Tells a client that reads again how many lines it has missed. */
static void
say_dropped(struct conn *c)
{
	struct console_request *r = c->http->console;
	char text[80];

	if (r->dropped == 0 || outq_bytes(&c->out) > STREAM_MAX / 2)
		return;
	snprintf(text, sizeof(text),
	    "event: dropped\ndata: {\"dropped\":%llu}\n\n",
	    (unsigned long long)r->dropped);
	conn_queue_answer(c, str_of(text));
	r->dropped = 0;
}

static void
put_line(struct conn *c, struct str line)
{
	struct console_request *r = c->http->console;
	struct buf **b;

	say_dropped(c);
	if (r->dropped > 0 || outq_bytes(&c->out) + line.n > STREAM_MAX) {
		r->dropped++;
		return;
	}
	b = worker_scratch(c->w);
	buf_append(b, S("data: "));
	buf_append(b, line);
	buf_append(b, S("\n\n"));
	conn_queue_answer(c, buf_str(*b));
}

static void
put_lines(struct conn *c, struct str bytes)
{
	struct http *h = c->http;
	struct str rest;
	ssize_t at;

	buf_append(&h->console_out, bytes);
	if (h->console_out == NULL)
		return;
	rest = buf_str(h->console_out);
	while ((at = str_find(rest, '\n')) != -1) {
		if (at > 0)
			put_line(c, str_make(rest.p, (size_t)at));
		rest = str_from(rest, (size_t)at + 1);
	}
	if (rest.n > LINE_BYTES) {
		h->console->dropped++;
		rest.n = 0;
	}
	memmove(h->console_out->data, rest.p, rest.n);
	h->console_out->len = (uint32_t)rest.n;
}

/* ---- answers ---- */

static struct conn *
find(struct worker *w, uint64_t id)
{
	struct conn *c = conn_find(w, id);

	return c != NULL && c->http != NULL && c->http->console != NULL ? c
									: NULL;
}

static void
send_cancel(struct conn *c)
{
	struct msg_console_cancel m = { .id = conn_sid(c) };

	link_send_console_cancel(c->w, &m);
}

static void
forget(struct conn *c)
{
	struct http *h = c->http;

	free(h->console);
	buf_unref(h->console_out);
	h->console = NULL;
	h->console_out = NULL;
}

int
console_on_data(struct worker *w, const struct msg_console_data *m)
{
	struct conn *c = find(w, m->id);
	struct console_request *r = c == NULL ? NULL : c->http->console;

	if (r == NULL)
		return 0;
	if (r->kind == CONSOLE_STREAM) {
		if (!r->begun)
			begin_stream(c);
		if (m->bytes.n > 0)
			put_lines(c, m->bytes);
		return 0;
	}
	if (buf_str(c->http->console_out).n + m->bytes.n > w->answer_max) {
		send_cancel(c);
		forget(c);
		api_errorf(c, 413,
		    "the answer is larger than %llu bytes: ask for less, or "
		    "raise memory_limit",
		    (unsigned long long)w->answer_max);
		api_continue(c);
		return 0;
	}
	buf_append(&c->http->console_out, m->bytes);
	return 0;
}

/* {"code":0,"notes":"...","rows":...}: rows as pusherctl -j prints them. */
static void
put_end(struct buf **b, const struct msg_console_end *m, struct str rows)
{
	struct json v;
	const char *why;

	buf_printf(
	    b, "{\"code\":%u,\"notes\":", m->status == 200 ? m->code : 1);
	json_quote(b, m->body);
	rows = str_trim(rows);
	while (rows.n > 0 && rows.p[rows.n - 1] == '\n')
		rows.n--;
	buf_append(b, S(",\"rows\":"));
	if (rows.n > 0 && json_parse(rows, &v, &why) == 0) {
		buf_append(b, rows);
	} else if (rows.n == 0) {
		buf_append(b, S("null"));
	} else { /* several lines, a JSON text each */
		struct str rest = rows, line;
		bool first = true;

		buf_putc(b, '[');
		while (rest.p != NULL) {
			line = str_cut(&rest, '\n');
			if (json_parse(line, &v, &why) == -1)
				continue;
			if (!first)
				buf_putc(b, ',');
			buf_append(b, line);
			first = false;
		}
		buf_putc(b, ']');
	}
	buf_putc(b, '}');
}

static void
end_stream(struct conn *c, const struct msg_console_end *m)
{
	struct buf *b = NULL;

	if (m->status == 200)
		put_lines(c, S("\n"));
	say_dropped(c);
	buf_append(&b, S("event: end\ndata: "));
	put_end(&b, m, S(""));
	buf_append(&b, S("\n\n"));
	conn_queue_answer(c, buf_str(b));
	buf_unref(b);
	forget(c);
	api_end_request(c, false);
}

static void
end_login(struct conn *c, const char *cookie, const struct msg_console_end *m)
{
	char extra[1024];

	snprintf(extra, sizeof(extra),
	    "Set-Cookie: %s=%.*s; Path=/; Max-Age=43200; HttpOnly; "
	    "SameSite=Strict%s\r\n" CONSOLE_POLICY CONSOLE_NO_STORE,
	    cookie, CONSOLE_SECRET_LEN, m->body.p,
	    remote_is_secure(c) ? "; Secure" : "");
	api_reply_extra(c, 200, extra, str_from(m->body, CONSOLE_SECRET_LEN));
	explicit_bzero(extra, sizeof(extra));
}

static void
end_logout(struct conn *c, const char *cookie, struct str body)
{
	char extra[1024];

	snprintf(extra, sizeof(extra),
	    "Set-Cookie: %s=; Path=/; Max-Age=0; HttpOnly; "
	    "SameSite=Strict\r\n" CONSOLE_POLICY CONSOLE_NO_STORE,
	    cookie);
	api_reply_extra(c, 200, extra, body);
}

int
console_on_end(struct worker *w, const struct msg_console_end *m)
{
	struct conn *c = find(w, m->id);
	char cookie[CONSOLE_COOKIE_MAX];
	enum console_kind kind;
	struct buf *b = NULL;

	if (c == NULL)
		return 0;
	kind = c->http->console->kind;
	memcpy(cookie, c->http->console->cookie, sizeof(cookie));
	if (c->http->console->begun) {
		end_stream(c, m);
		return 0;
	}
	if (m->status == 200 && kind == CONSOLE_VERB)
		put_end(&b, m, buf_str(c->http->console_out));
	forget(c);
	if (m->status != 200)
		api_error(c, m->status, m->body);
	else if (kind == CONSOLE_LOGIN && m->body.n > CONSOLE_SECRET_LEN)
		end_login(c, cookie, m);
	else if (kind == CONSOLE_LOGOUT)
		end_logout(c, cookie, m->body);
	else
		api_reply_extra(c, 200, CONSOLE_POLICY CONSOLE_NO_STORE,
		    b != NULL ? buf_str(b) : m->body);
	buf_unref(b);
	api_continue(c);
	return 0;
}

/* ---- the ends ---- */

void
console_on_drop(struct conn *c)
{
	if (c->http->console == NULL)
		return;
	send_cancel(c);
	forget(c);
}

void
console_on_late(struct conn *c)
{
	struct console_request *r = c->http->console;

	if (r != NULL && r->begun) {
		say_dropped(c);
		if (outq_bytes(&c->out) < STREAM_MAX)
			conn_queue_answer(c, S(":\n\n"));
		conn_set_timeout(c, BEAT_SECONDS);
		return;
	}
	console_on_drop(c);
	c->http->keep_alive = false;
	api_error(c, 504, S("the command takes too long: use /stream"));
	api_continue(c);
}

void
console_on_lost(struct conn *c)
{
	bool begun = c->http->console->begun;

	forget(c);
	if (begun) {
		api_end_request(c, false);
		return;
	}
	api_unavailable(c, S("the server is starting again"));
	api_continue(c);
}
