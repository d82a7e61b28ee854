/* SPDX-License-Identifier: MIT */
/*
 * http_conn.c: HTTP on a client's socket: cuts the stream into requests, reads
 * their bodies, writes the replies.  Owns c->http, which lives from the first
 * byte until the connection closes or becomes a WebSocket.
 *
 * A request that is there as a whole is handled where it lies; only chunked
 * bodies and requests that wait for the broker are copied.  Requests are
 * handled one at a time, so that pipelined ones are answered in order.
 *
 * Must never wait, and never keep a view into the bytes that it is fed.
 */

#include "worker/conn/http_conn.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "shared/base/log.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "shared/net/http_reply.h"
#include "shared/net/listen_spec.h"
#include "worker/app/stats.h"
#include "worker/conn/http_body.h"
#include "worker/conn/http_request.h"
#include "worker/conn/timeout.h"
#include "worker/conn/transport.h"
#include "worker/core/core.h"

#define CHOKE_BYTES (64u << 10) /* of replies that nobody reads */
#define CHOKE_SECONDS 0.01      /* between two looks at them */
#define RETRY_AFTER "Retry-After: 1\r\n"

static struct http *
http_new(struct conn *c)
{
	c->http = xcalloc(1, sizeof(*c->http));
	list_init(&c->http->parked);
	return c->http;
}

/* Drops the copy of a request. */
static void
drop_copy(struct http *h)
{
	buf_unref(h->head);
	buf_unref(h->body);
	buf_unref(h->asked_key);
	h->head = h->body = h->asked_key = NULL;
}

void
api_free(struct conn *c)
{
	struct http *h = c->http;

	if (h == NULL)
		return;
	ev_timer_stop(c->w->loop, &h->choke);
	c->w->http->on_drop(c);
	drop_copy(h);
	free(h);
	c->http = NULL;
}

/* ---- replies ---- */

/* The request has been answered. */
static void
end_request(struct conn *c, bool keep_alive)
{
	c->http->state = API_IDLE;
	if (c->finishing)
		return;
	if (keep_alive)
		timeout_set(c->w, c, (uint32_t)c->w->conf->keepalive_timeout);
	else
		conn_finish(c);
}

static void
reply(struct conn *c, struct http_reply *r)
{
	uint64_t queued = c->out.in;

	r->keep_alive = c->http->keep_alive && !c->w->draining;
	r->head_only = c->http->head_only;
	http_reply_write(worker_scratch(c->w), r);
	conn_queue_scratch(c);
	stats_on_reply(c->w, c->http->app, r->status, c->out.in - queued);
	end_request(c, r->keep_alive);
}

void
api_reply_extra(
    struct conn *c, unsigned status, const char *extra, struct str json)
{
	struct http_reply r = {
		.status = status, .extra = extra, .body = json
	};

	c->w->http->on_reply(c, status, json);
	reply(c, &r);
}

void
api_reply_typed(
    struct conn *c, unsigned status, const char *type, struct str body)
{
	struct http_reply r = { .status = status, .type = type, .body = body };

	reply(c, &r);
}

void
api_reply(struct conn *c, unsigned status, struct str json)
{
	uint64_t queued = c->out.in;

	/* What most publishes get is ready. */
	if (status == 200 && str_eq(json, S("{}")) && c->http->keep_alive &&
	    c->http->claim == NULL && !c->http->head_only && !c->w->draining) {
		conn_queue_bytes(c,
		    S("HTTP/1.1 200 OK\r\n"
		      "Content-Type: application/json\r\n"
		      "Content-Length: 2\r\n"
		      "Connection: keep-alive\r\n"
		      "\r\n"
		      "{}"));
		stats_on_reply(c->w, c->http->app, status, c->out.in - queued);
		end_request(c, true);
		return;
	}
	api_reply_extra(c, status, NULL, json);
}

static void
error_extra(struct conn *c, unsigned status, const char *extra, struct str text)
{
	struct buf *b = NULL;

	http_error_body(&b, status, text);
	api_reply_extra(c, status, extra, buf_str(b));
	buf_unref(b);
}

void
api_error(struct conn *c, unsigned status, struct str text)
{
	error_extra(c, status, NULL, text);
}

void
api_errorf(struct conn *c, unsigned status, const char *fmt, ...)
{
	struct buf *b = buf_new(512);
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(b->data, b->cap, fmt, ap);
	va_end(ap);
	assert(n >= 0);
	if ((size_t)n >= b->cap) {
		buf_reserve(&b, (size_t)n + 1);
		va_start(ap, fmt);
		vsnprintf(b->data, b->cap, fmt, ap);
		va_end(ap);
	}
	b->len = (uint32_t)n;
	api_error(c, status, buf_str(b));
	buf_unref(b);
}

void
api_unavailable(struct conn *c, struct str text)
{
	error_extra(c, 503, RETRY_AFTER, text);
}

void
api_refuse(struct conn *c, unsigned status, struct str text)
{
	c->http->keep_alive = false;
	api_error(c, status, text);
}

void
api_over(struct conn *c, struct str text)
{
	struct http *h = c->http;

	if (h == NULL || !outq_is_empty(&c->out) || c->finishing ||
	    (h->state != API_HEAD && h->state != API_BODY &&
		h->state != API_CHUNKS)) {
		conn_close(c);
		return;
	}
	h->head_only = h->keep_alive = false;
	error_extra(c, 503, RETRY_AFTER, text);
	drop_copy(h);
}

/* ---- one request ---- */

static void
run(struct conn *c, const struct http_head *head, struct str body, bool granted)
{
	c->http->state = API_RUNS;
	c->http->app = 0;
	c->w->stats->counts.http_requests++;
	c->w->http->on_request(c, head, body, granted);
	c->http->raw.n = 0; /* the bytes go */
	assert(c->http->state != API_RUNS);
	if (c->http->state == API_IDLE)
		drop_copy(c->http);
}

/* Runs the request whose head and body have been copied. */
static void
run_copy(struct conn *c, bool granted)
{
	struct http *h = c->http;
	struct http_head head;
	enum http_error err;
	const char *why;
	ssize_t n;

	h->seen = 0;
	h->raw = buf_str(h->head);
	n = http_head_read(&head, h->raw, 0, h->max_head, &err, &why);
	if (n <= 0) {
		api_refuse(c, 500, S("the head has changed meanwhile"));
		return;
	}
	head.path = str_from(head.path, h->stripped);
	run(c, &head, buf_str(h->body), granted);
}

void
api_run_again(struct conn *c)
{
	run_copy(c, false);
}

void
api_run_granted(struct conn *c)
{
	run_copy(c, true);
}

void
api_settle(struct conn *c)
{
	if (c->closed || c->http == NULL || c->http->state != API_IDLE)
		return;
	drop_copy(c->http);
	conn_resume(c);
}

/* ---- feed ---- */

static size_t
upgrade(
    struct conn *c, const struct http_head *head, struct str in, size_t used)
{
	c->w->http->on_upgrade(c, head);
	if (c->closed)
		return in.n; /* and c->http is gone */
	if (c->ops != &http_ops) {
		api_free(c);
		return used; /* the rest are frames */
	}
	end_request(c, c->http->keep_alive && !c->w->draining);
	return used;
}

static size_t
refuse_head(struct conn *c, enum http_error err, const char *why, size_t n)
{
	struct http *h = c->http;
	char text[160];

	h->head_only = false;
	if (err == HTTP_HEAD_TOO_LARGE)
		snprintf(text, sizeof(text),
		    "%s: at most %llu bytes (max_head_bytes) and %d headers",
		    why, (unsigned long long)h->max_head, HTTP_MAX_HEADERS);
	else
		snprintf(text, sizeof(text), "%s", why);
	api_refuse(c, (unsigned)err, str_of(text));
	return n;
}

/* Half a head. */
static size_t
wait_for_head(struct conn *c, size_t n)
{
	struct http *h = c->http;

	if (h->state == API_IDLE) {
		h->state = API_HEAD;
		timeout_set(c->w, c, (uint32_t)c->w->conf->handshake_timeout);
	}
	h->seen = n;
	return 0;
}

static size_t
feed_request(struct conn *c, struct str in)
{
	struct http *h = c->http;
	struct http_head head;
	enum http_error err;
	const char *why;
	ssize_t r = http_head_read(&head, in, h->seen, h->max_head, &err, &why);
	size_t used = (size_t)r;

	if (r == -1)
		return refuse_head(c, err, why, in.n);
	if (r == 0)
		return wait_for_head(c, in.n);
	if (h->state == API_BODY) /* it has been read before */
		head.path = str_from(head.path, h->stripped);
	else
		h->stripped = api_body_strip(c->w->conf, &head);
	h->seen = 0;
	h->keep_alive = head.keep_alive;
	h->head_only = str_eq(head.method, S("HEAD"));
	transport_request(c, &head);
	if ((c->serves & LISTEN_PUBLIC) && c->w->http->is_upgrade(&head))
		return upgrade(c, &head, in, used);
	h->raw = str_make(in.p, used);
	if (head.chunked) {
		api_body_begin(c, &head, API_CHUNKS, 0);
		return used;
	}
	if (head.length > h->max_body) {
		api_body_too_large(c);
		return in.n;
	}
	if (in.n - used < head.length) {
		if (h->state != API_BODY && !api_body_admit(c, &head))
			return in.n;
		h->need = used + (size_t)head.length;
		api_body_begin(c, &head, API_BODY, in.n - used);
		return 0;
	}
	run(c, &head, str_make(in.p + used, (size_t)head.length), false);
	return used + (size_t)head.length;
}

/* Looks whether the peer has begun to read its replies. */
static void
on_choke(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct conn *c = timer->data;

	if (outq_bytes(&c->out) > CHOKE_BYTES / 2)
		return;
	ev_timer_stop(loop, timer);
	conn_resume(c);
}

static void
choke(struct conn *c)
{
	ev_timer *timer = &c->http->choke;

	conn_pause(c);
	ev_timer_init(timer, on_choke, CHOKE_SECONDS, CHOKE_SECONDS);
	timer->data = c;
	ev_timer_start(c->w->loop, timer);
}

/* A request keeps the limits with which its first byte came. */
static void
begin_request(struct http *h, const struct conf *conf)
{
	h->max_head = (size_t)conf->max_head_bytes;
	h->max_body = conf->max_request_bytes;
}

/* A client hello (RFC 8446, 5.1) where no TLS is spoken: says so, closes. */
static bool
is_tls(struct conn *c, const char *bytes)
{
	char peer[64];

	if (bytes[0] != 0x16)
		return false;
	transport_peer_text(c, peer, sizeof(peer));
	log_warnx("TLS on a listener without TLS: the client has to use ws:// "
		  "or http:// there, or its listen line needs \"tls\" peer=%s",
	    peer);
	conn_record_close(c, 1006, S("TLS on a listener without TLS"));
	conn_close(c);
	return true;
}

static size_t
http_feed(struct conn *c, char *bytes, size_t n)
{
	struct http *h = c->http != NULL ? c->http : http_new(c);

	if (h->state == API_IDLE && is_tls(c, bytes))
		return n;
	if (h->state == API_IDLE)
		begin_request(h, c->w->conf);
	if (h->state == API_CHUNKS)
		return api_body_feed(c, bytes, n);
	if (h->state == API_BODY) {
		h->received = n;
		if (n < h->need)
			return 0;
	} else if (outq_bytes(&c->out) > CHOKE_BYTES) {
		choke(c);
		return 0;
	}
	n = feed_request(c, str_make(bytes, n));
	if (c->http != NULL)
		c->http->raw.n = 0; /* the bytes go */
	return n;
}

/* ---- the ends ---- */

static void
on_timeout(struct conn *c)
{
	enum api_state state = c->http == NULL ? API_IDLE : c->http->state;

	if (c->finishing) {
		conn_close(c);
		return;
	}
	if (state == API_HEAD || state == API_BODY || state == API_CHUNKS) {
		if (state != API_HEAD && !api_body_is_late(c))
			return;
		c->http->head_only = false;
		api_refuse(c, 408, S("the request did not arrive in time"));
		return;
	}
	if (state == API_ASKS || state == API_TAKES || state == API_CLAIMS) {
		c->w->http->on_late(c);
		return;
	}
	if (outq_is_empty(&c->out))
		conn_close(c); /* nobody waits for anything */
	else
		conn_finish(c);
}

const struct conn_ops http_ops = {
	.feed = http_feed,
	.on_timeout = on_timeout,
	.on_close = api_free,
	.half_close = true,
};
