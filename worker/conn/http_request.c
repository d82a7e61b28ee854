/* SPDX-License-Identifier: MIT */
/*
 * http_request.c: one request of a connection: its replies, and running it from
 * its copy.  Owns c->http, which lives from the first byte until the connection
 * closes or becomes a WebSocket.
 */

#include "worker/conn/http_request.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "shared/conf/conf.h"
#include "shared/net/http_reply.h"
#include "worker/app/apps.h"
#include "worker/app/stats.h"
#include "worker/conn/input.h"
#include "worker/core/core.h"

#define RETRY_AFTER "Retry-After: 1\r\n"
#define LARGE_BODY 4096 /* bytes; a smaller one is in COST_REQUEST */

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
	client_app_unref(h->idem_app);
	free(h);
	c->http = NULL;
}

/* ---- replies ---- */

void
api_end_request(struct conn *c, bool keep_alive)
{
	c->http->state = API_IDLE;
	if (c->state >= CONN_FINISHING)
		return;
	if (keep_alive)
		conn_set_timeout(c, (uint32_t)c->w->conf->keepalive_timeout);
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
	api_end_request(c, r->keep_alive);
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
	api_reply_file(c, status, type, NULL, body);
}

void
api_reply_file(struct conn *c, unsigned status, const char *type,
    const char *extra, struct str body)
{
	struct http_reply r = {
		.status = status, .type = type, .extra = extra, .body = body
	};

	reply(c, &r);
}

void
api_reply(struct conn *c, unsigned status, struct str json)
{
	uint64_t queued = c->out.in;

	/* The reply to most publishes is precomputed. */
	if (status == 200 && str_eq(json, S("{}")) && c->http->keep_alive &&
	    c->http->idem_key == NULL && !c->http->head_only &&
	    !c->w->draining) {
		conn_queue_bytes(c,
		    S("HTTP/1.1 200 OK\r\n"
		      "Content-Type: application/json\r\n"
		      "Content-Length: 2\r\n"
		      "Connection: keep-alive\r\n"
		      "\r\n"
		      "{}"));
		stats_on_reply(c->w, c->http->app, status, c->out.in - queued);
		api_end_request(c, true);
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
api_unconfirmed(struct conn *c, struct str text)
{
	struct http_reply r = { .status = 503, .extra = RETRY_AFTER };
	struct buf *body = NULL, **b = worker_scratch(c->w);

	http_error_body(&body, r.status, text);
	r.body = buf_str(body);
	http_reply_write(b, &r);
	stats_on_reply(c->w, c->http->app, r.status, buf_str(*b).n);
	conn_answer_instead(c, buf_str(*b));
	buf_unref(body);
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

	if (h == NULL || !outq_is_empty(&c->out) ||
	    c->state >= CONN_FINISHING ||
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

void
api_run(
    struct conn *c, const struct http_head *head, struct str body, bool granted)
{
	c->http->state = API_RUNS;
	c->http->app = 0;
	c->w->stats->counts.http_requests++;
	if (body.n > LARGE_BODY)
		input_charge(c, body.n / COST_BODY);
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
	api_run(c, &head, buf_str(h->body), granted);
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
api_continue(struct conn *c)
{
	if (c->state == CONN_CLOSED || c->http == NULL ||
	    c->http->state != API_IDLE)
		return;
	drop_copy(c->http);
	input_resume(c);
}
