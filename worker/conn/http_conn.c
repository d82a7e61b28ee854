/* SPDX-License-Identifier: MIT */
/*
 * http_conn.c: HTTP on a client's socket: cuts the stream into requests and
 * reads their bodies.  A complete request is handled in place; only chunked
 * bodies and requests that wait for the broker are copied.  Requests are
 * handled one at a time, so that pipelined ones are answered in order.  Must
 * never wait, and never keep a view into the received bytes.
 */

#include "worker/conn/http_conn.h"
#include "worker/conn/input.h"

#include <stdio.h>

#include "shared/base/log.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "shared/net/listen_spec.h"
#include "shared/proc/stats.h"
#include "worker/conn/http_body.h"
#include "worker/conn/http_request.h"
#include "worker/conn/remote.h"
#include "worker/conn/timeout.h"
#include "worker/conn/transport.h"
#include "worker/core/core.h"

#define CHOKE_BYTES (64u << 10) /* bytes of unread replies */
#define CHOKE_SECONDS 0.01      /* seconds between two checks of them */
static size_t
upgrade(
    struct conn *c, const struct http_head *head, struct str in, size_t used)
{
	c->w->http->on_upgrade(c, head);
	if (c->state == CONN_CLOSED)
		return in.n; /* and c->http is gone */
	if (c->ops != &http_ops) {
		api_free(c);
		return used; /* the rest are frames */
	}
	api_end_request(c, c->http->keep_alive && !c->w->draining);
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
	else if (err == HTTP_URI_TOO_LONG)
		snprintf(text, sizeof(text), "%s: at most %zu bytes", why,
		    MIN((size_t)HTTP_MAX_LINE, h->max_head));
	else
		snprintf(text, sizeof(text), "%s", why);
	api_refuse(c, (unsigned)err, str_of(text));
	return n;
}

/* Stores an incomplete head. */
static size_t
wait_for_head(struct conn *c, size_t n)
{
	struct http *h = c->http;

	if (h->state == API_IDLE) {
		h->state = API_HEAD;
		conn_set_timeout(c, (uint32_t)c->w->conf->handshake_timeout);
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

	input_charge(c, COST_REQUEST);
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
	remote_on_request(c, &head);
	if ((c->serves & (LISTEN_PUBLIC | LISTEN_CONSOLE)) &&
	    c->w->http->is_upgrade(&head))
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
	api_run(c, &head, str_make(in.p + used, (size_t)head.length), false);
	return used + (size_t)head.length;
}

/* Checks whether the peer has begun to read its replies. */
static void
on_choke(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct conn *c = timer->data;

	if (outq_bytes(&c->out) > CHOKE_BYTES / 2)
		return;
	ev_timer_stop(loop, timer);
	input_resume(c);
}

static void
choke(struct conn *c)
{
	ev_timer *timer = &c->http->choke;

	input_pause(c);
	ev_timer_init(timer, on_choke, CHOKE_SECONDS, CHOKE_SECONDS);
	timer->data = c;
	ev_timer_start(c->w->loop, timer);
}

/* A request keeps the limits of the time of its first byte. */
static void
begin_request(struct http *h, const struct conf *conf)
{
	h->max_head = (size_t)conf->max_head_bytes;
	h->max_body = conf->max_request_bytes;
}

/*
 * A client hello (RFC 8446, 5.1) on an address without TLS: reports it, closes.
 */
static bool
is_tls(struct conn *c, const char *bytes)
{
	char peer[64];

	if (bytes[0] != 0x16)
		return false;
	remote_text(c, peer, sizeof(peer));
	log_warnx("TLS on a listener without TLS: the client has to use ws:// "
		  "or http:// there, or its listen line needs \"tls\" peer=%s",
	    peer);
	conn_record_close(c, 1006, S(STATS_CLOSE_TLS));
	conn_close(c);
	return true;
}

/* A request without TLS on an address with it; the socket is being closed. */
static void
report_plain(struct conn *c)
{
	char peer[64];

	remote_text(c, peer, sizeof(peer));
	log_warnx("plain HTTP on a listener with TLS: the client has to use "
		  "wss:// or https:// there, or its listen line needs no "
		  "\"tls\" peer=%s",
	    peer);
	conn_record_close(c, 1006, S(STATS_CLOSE_PLAIN));
}

struct http *
http_new(struct conn *c)
{
	c->http = xcalloc(1, sizeof(*c->http));
	list_init(&c->http->retry);
	return c->http;
}

static size_t
http_feed(struct conn *c, char *bytes, size_t n)
{
	struct http *h = c->http != NULL ? c->http : http_new(c);

	if (h->state == API_CONSOLE)
		return n; /* a stream: there is no next request */
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
refuse_late(struct conn *c, enum api_state state)
{
	char text[160];

	snprintf(text, sizeof(text),
	    "the %s not arrived after handshake_timeout (%llu s)%s",
	    state == API_HEAD ? "head of the request has" : "body has",
	    (unsigned long long)c->w->conf->handshake_timeout,
	    state == API_HEAD ? "" : " and a second for each KiB of it");
	c->http->head_only = false;
	api_refuse(c, 408, str_of(text));
}

static void
on_timeout(struct conn *c)
{
	enum api_state state = c->http == NULL ? API_IDLE : c->http->state;

	if (c->state >= CONN_FINISHING) {
		if (conn_may_write(c) == SIZE_MAX)
			conn_close(c);
		else /* its answer waits for the broker */
			conn_set_timeout(c, CONN_FINISH_SECONDS);
		return;
	}
	if (state == API_HEAD || state == API_BODY || state == API_CHUNKS) {
		if (state == API_HEAD || api_body_is_late(c))
			refuse_late(c, state);
		return;
	}
	if (state == API_ASKS || state == API_TAKES || state == API_BEGINS ||
	    state == API_CONSOLE) {
		c->w->http->on_late(c);
		return;
	}
	if (outq_is_empty(&c->out))
		conn_close(c); /* no reply is due */
	else
		conn_finish(c);
}

static void
on_close(struct conn *c)
{
	if (c->transport != NULL && c->transport->tls.plain)
		report_plain(c);
	api_free(c);
}

const struct conn_ops http_ops = {
	.feed = http_feed,
	.on_timeout = on_timeout,
	.on_close = on_close,
	.half_close = true,
};
