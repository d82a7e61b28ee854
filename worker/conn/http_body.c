/* SPDX-License-Identifier: MIT */
/*
 * http_body.c: bodies that come in pieces.  Nothing of a body is stored before
 * its head is known to be signed: the query has the body's digest, so a
 * stranger with only the public key gets 401 at once.  A chunked body may end
 * at any byte; without a signature it is read and discarded.  Must never store
 * more than max_request_bytes.
 */

#include "worker/conn/http_body.h"

#include <stdio.h>

#include "shared/conf/conf.h"
#include "worker/app/stats.h"
#include "worker/conn/input.h"
#include "worker/conn/timeout.h"
#include "worker/core/core.h"

#define BODY_RATE 1024 /* bytes per second, at least */

/*
 * How many bytes of the path are the prefix, or 0; doubled slashes count as
 * one.  A slash follows.
 */
static size_t
prefix_length(struct str path, struct str prefix)
{
	size_t i = 0;

	for (size_t j = 0; j < prefix.n; j++) {
		if (i == path.n || path.p[i] != prefix.p[j])
			return 0;
		i++;
		while (prefix.p[j] == '/' && i < path.n && path.p[i] == '/')
			i++;
	}
	return i < path.n && path.p[i] == '/' ? i : 0;
}

size_t
api_body_strip(const struct conf *conf, struct http_head *head)
{
	size_t n = prefix_length(head->path, str_of(conf->path_prefix));
	size_t before = head->path.n;

	head->path = str_from(head->path, n);
	while (str_starts(head->path, S("//")))
		head->path = str_from(head->path, 1);
	return before - head->path.n;
}

void
api_body_too_large(struct conn *c)
{
	char text[160];

	snprintf(text, sizeof(text),
	    "the body is too large: at most %llu bytes (max_request_bytes)",
	    (unsigned long long)c->http->max_body);
	api_refuse(c, 413, str_of(text));
}

/*
 * Nothing of a body is stored before its head is known to be signed: the query
 * has the body's digest.  False: the request has been answered and the
 * connection ends.
 */
bool
api_body_admit(struct conn *c, const struct http_head *head)
{
	struct http *h = c->http;

	h->state = API_RUNS;
	h->app = 0;
	h->keep_alive = false;
	if (!c->w->http->on_head(c, head)) {
		c->w->stats->counts.http_requests++;
		return false;
	}
	h->keep_alive = head->keep_alive;
	return true;
}

/* A chunked body of which nothing was stored has ended. */
static void
end_unkept(struct conn *c)
{
	struct http *h = c->http;
	struct http_head head;
	enum http_error err;
	const char *why;

	h->seen = 0;
	h->raw = buf_str(h->head);
	if (http_head_read(&head, h->raw, 0, h->raw.n, &err, &why) <= 0) {
		api_refuse(c, (unsigned)err, str_of(why));
		return;
	}
	api_body_strip(c->w->conf, &head);
	if (api_body_admit(c, &head)) /* signed with a key that is new since */
		api_refuse(c, 401, S("the body was not stored: try again"));
}

/* The head is complete and acceptable, the body has not arrived yet. */
void
api_body_begin(struct conn *c, const struct http_head *head,
    enum api_state state, size_t received)
{
	struct http *h = c->http;

	h->state = state;
	h->received = received;
	h->waited = 0;
	if (state == API_CHUNKS) {
		h->head = buf_from(h->raw);
		h->chunks = (struct http_chunks){ 0 };
		h->nbody = 0;
		h->unkept = !c->w->http->is_signed(c, head);
	}
	conn_set_timeout(c, (uint32_t)c->w->conf->handshake_timeout);
	if (head->expect_continue && head->minor == 1)
		conn_queue_bytes(c, S("HTTP/1.1 100 Continue\r\n\r\n"));
}

size_t
api_body_feed(struct conn *c, char *bytes, size_t n)
{
	struct http *h = c->http;
	size_t nout = 0;
	bool done = false;
	ssize_t used = http_chunks_read(&h->chunks, bytes, n, &nout, &done);

	if (used == -1) {
		api_refuse(c, 400, S("the chunked body is malformed"));
		return n;
	}
	h->received += (size_t)used;
	h->nbody += nout;
	if (h->nbody > c->http->max_body) {
		api_body_too_large(c);
		return n;
	}
	if (nout > 0 && !h->unkept)
		input_store(c, &h->body, str_make(bytes, nout));
	if (done && h->unkept)
		end_unkept(c);
	else if (done)
		api_run_again(c);
	return (size_t)used;
}

/*
 * A body may take handshake_timeout plus a second for each BODY_RATE received
 * bytes.  The timeout fires first after handshake_timeout, then every second.
 */
bool
api_body_is_late(struct conn *c)
{
	struct http *h = c->http;
	uint64_t base = c->w->conf->handshake_timeout;

	h->waited += h->waited == 0 ? (uint32_t)base : 1;
	if (h->waited >= base + h->received / BODY_RATE)
		return true;
	conn_set_timeout(c, 1);
	return false;
}
