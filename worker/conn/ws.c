/* SPDX-License-Identifier: MIT */
/*
 * ws.c: WebSocket messages from frames (RFC 6455), and the liveness of a
 * connection (protocol reference, 1.5).  The usual message, one frame in one
 * read, is unmasked in place and passed on; others go through c->part.  The
 * head of a frame decides whether a message is too large, before a byte of it
 * is stored.  After the server's close frame nothing is sent any more, and of
 * the input only the peer's close frame counts.  Must never look into a
 * message: w->ws does.
 */

#include "worker/conn/ws.h"

#include "shared/app/app.h"
#include "shared/base/buf.h"
#include "shared/base/log.h"
#include "shared/conf/conf.h"
#include "shared/net/ws_frame.h"
#include "shared/pusher/frames.h"
#include "worker/app/stats.h"
#include "worker/conn/compression.h"
#include "worker/conn/input.h"
#include "worker/conn/remote.h"
#include "worker/conn/timeout.h"
#include "worker/conn/ws_part.h"
#include "worker/core/core.h"

#define CLOSE_SECONDS 3              /* for the peer's close frame after ours */
#define MAX_PONGS 16                 /* for the pings of one read */
#define AFTER_GOODBYE_MAX (1u << 20) /* bytes read after our close frame */
/* tests/conformance/ws_echo.c has this file with WS_ECHO: bytes are bytes. */
#ifdef WS_ECHO
#define MAX_FRAGMENTS UINT32_MAX
#define MAX_EMPTY UINT32_MAX
#else
#define MAX_FRAGMENTS 1024u /* of one message */
#define MAX_EMPTY 64u       /* of them without a byte */
#endif

/*
 * The pings of one read (RFC 6455, 5.5.3: answering the latest one is enough).
 */
struct pings {
	struct str last; /* p == NULL: answered already */
	unsigned answered;
};

void
ws_leave(struct conn *c)
{
	c->w->ws->leave(c);
	conn_delist(c);
}

static void
log_close(const struct conn *c, unsigned code, struct str reason)
{
	char peer[64];

	if (!log_is_debug())
		return;
	remote_text(c, peer, sizeof(peer));
	log_debug("client closed: %.*s code=%u app=%u sid=%llu peer=%s",
	    STR_ARG(reason), code, c->app == NULL ? 0 : c->app->num,
	    (unsigned long long)conn_sid(c), peer);
}

void
ws_close(struct conn *c, unsigned code, struct str reason)
{
	struct buf **b;

	if (conn_is_ending(c))
		return;
	log_close(c, code, reason);
	b = worker_scratch(c->w);
	frame_ws_close(b, code, reason);
	conn_queue_goodbye(c);
	c->state = CONN_CLOSING;
	c->close_code = (uint16_t)code;
	conn_record_close(c, code == 0 ? 1005 : code, reason);
	if (c->part != NULL) {
		buf_unref(c->part->bytes);
		c->part->bytes = NULL;
	}
	ws_leave(c);
	conn_set_timeout(c, CLOSE_SECONDS);
	input_resume(c);
	input_go(c);
}

/* Fails the connection (RFC 6455, 7.1.7): later input is not read. */
static void
fail(struct conn *c, unsigned code, struct str reason)
{
	ws_close(c, code, reason);
	conn_finish(c);
}

void
ws_arm(struct conn *c)
{
	uint32_t seconds = c->pinged ? (uint32_t)c->w->conf->pong_timeout
				     : c->app->activity_timeout;
	double left;

	if (!c->authorized && c->greeted) {
		left = c->opened_at + c->app->authorized_connection_timeout -
		    worker_now();
		if (left < 0.)
			left = 0.;
		if (left < seconds)
			seconds = (uint32_t)left + 1;
	}
	conn_set_timeout(c, seconds);
}

/* The peer has sent something. */
static void
alive(struct conn *c)
{
	if (conn_is_ending(c))
		return;
	if (c->pinged) {
		c->pinged = false;
		ws_arm(c);
	} else if (c->authorized) {
		timeout_touch(&c->timeout);
	}
	/* Otherwise the deadline for the authorisation stays. */
}

static void
send_pong(struct conn *c, struct pings *pings)
{
	if (pings->last.p == NULL || conn_is_ending(c))
		return;
	frame_ws_pong(worker_scratch(c->w), pings->last);
	conn_queue_scratch(c);
	pings->last.p = NULL;
	pings->answered++;
}

/* Handles the peer's close frame. */
static void
take_close(struct conn *c, struct str body)
{
	unsigned code = 0;

	if (body.n >= 2)
		code = (unsigned)(unsigned char)body.p[0] << 8 |
		    (unsigned char)body.p[1];
	if (body.n == 1)
		fail(c, 1002, S("close frame of one byte"));
	else if (body.n >= 2 && !ws_close_code_is_valid(code))
		fail(c, 1002, S("invalid close code"));
	else if (!utf8_is_valid(str_from(body, 2)))
		fail(c, 1007, S("close reason is not UTF-8"));
	else {
		c->peer_closed = true;
		fail(c, code, S(""));
	}
}

/* A control frame; 0 until all of it is here (it has at most 125 bytes). */
static size_t
take_control(struct conn *c, const struct ws_head *h, char *p, size_t n,
    struct pings *pings)
{
	struct str body = { p, (size_t)h->len };

	if (n < body.n)
		return 0;
	ws_mask(p, body.n, h->mask, 0);
	if (h->opcode == WS_CLOSE) {
		send_pong(c, pings);
		take_close(c, body);
	} else if (h->opcode == WS_PING) {
		pings->last = body;
		if (pings->answered < MAX_PONGS)
			send_pong(c, pings);
	} else if (h->opcode == WS_PONG) {
		c->w->ws->pong(c, body);
	}
	return body.n;
}

static void
deliver(struct conn *c, bool binary, struct str s)
{
	if (c->state == CONN_PARTING)
		return; /* it has left */
	c->messages_in++;
	input_charge(c, COST_MESSAGE);
	if (c->app != NULL)
		stats_of(c->app)->messages_in++;
	c->w->ws->message(c, binary, s);
}

static void
fail_too_large(struct conn *c, size_t max)
{
	char why[96];

	snprintf(
	    why, sizeof(why), "message is over max_message_bytes (%zu)", max);
	fail(c, 1009, str_of(why));
}

static void
fail_too_many_blocks(struct conn *c)
{
	char why[96];

	snprintf(why, sizeof(why),
	    "compressed message has too many blocks: at most %u",
	    INFLATE_BLOCKS);
	fail(c, 1008, str_of(why));
}

static void
fail_too_many_fragments(struct conn *c)
{
	char why[96];

	snprintf(why, sizeof(why),
	    "too many fragments: at most %u, and %u without a byte",
	    MAX_FRAGMENTS, MAX_EMPTY);
	fail(c, 1008, str_of(why));
}

/* Handles a compressed message; r: the result of unpacking it. */
static void
take_unpacked(struct conn *c, bool binary, struct str s, enum inflate_result r,
    size_t max)
{
	if (r == INFLATE_TOO_LARGE)
		fail_too_large(c, max);
	else if (r == INFLATE_TOO_MANY)
		fail_too_many_blocks(c);
	else if (r == INFLATE_BROKEN)
		fail(c, 1007, S("compressed message is broken"));
	else if (!binary && !utf8_is_valid(s))
		fail(c, 1007, S("message is not UTF-8"));
	else
		deliver(c, binary, s);
}

/* The part is a complete message. */
static void
message(struct conn *c)
{
	struct ws_part *part = c->part;
	struct str s = buf_str(part->bytes);
	enum inflate_result r;

	if (part->utf8 != 0) {
		fail(c, 1007, S("message is not UTF-8"));
		return;
	}
	if (part->packed && !compression_unpack(c, part->max, &s, &r))
		return;
	c->part = NULL; /* whatever happens to the connection now */
	if (part->packed)
		take_unpacked(c, part->binary, s, r, part->max);
	else
		deliver(c, part->binary, s);
	ws_part_drop(part);
}

void
ws_turn(struct worker *w)
{
	struct conn *c;

	compression_turn(w);
	while ((c = compression_next(w)) != NULL) {
		if (!conn_is_ending(c))
			message(c);
		input_check(c);
	}
}

/* The missing bytes of the data frame in c->part. */
static size_t
take_payload(struct conn *c, char *p, size_t n)
{
	struct ws_part *part = c->part;

	if (n > part->left)
		n = (size_t)part->left;
	if (!conn_is_ending(c)) {
		ws_mask(p, n, part->mask, part->phase);
		if (!part->binary && !part->packed &&
		    !utf8_feed(&part->utf8, p, n)) {
			fail(c, 1007, S("message is not UTF-8"));
			return n;
		}
		ws_part_keep(c, str_make(p, n));
	}
	part->phase += n;
	part->left -= n;
	if (part->left > 0)
		return n;
	if (conn_is_ending(c))
		ws_part_free(c);
	else if (part->fin)
		message(c);
	return n;
}

/* Handles a message of one complete frame. */
static void
take_whole(struct conn *c, const struct ws_head *h, struct str s, size_t max)
{
	bool binary = h->opcode == WS_BINARY;
	enum inflate_result r = INFLATE_DONE;

	if (h->rsv1 && !compression_unpack(c, max, &s, &r)) {
		ws_part_new(c, h);
		ws_part_keep(c, s);
	} else {
		take_unpacked(c, binary, s, r, max);
	}
}

/* Starts a data frame that is incomplete, or a fragment. */
static size_t
begin_part(struct conn *c, const struct ws_head *h, char *p, size_t n)
{
	struct ws_part *part = c->part == NULL ? ws_part_new(c, h) : c->part;

	part->left = h->len;
	part->phase = 0;
	part->fin = h->fin;
	memcpy(part->mask, h->mask, sizeof(part->mask));
	part->fragments++;
	if (h->len == 0 && !h->fin)
		part->empty++;
	if (!conn_is_ending(c) &&
	    (part->fragments > MAX_FRAGMENTS || part->empty > MAX_EMPTY)) {
		fail_too_many_fragments(c);
		return 0;
	}
	return take_payload(c, p, n);
}

/* p: after the header. */
static size_t
take_data(struct conn *c, const struct ws_head *h, char *p, size_t n)
{
	size_t have = c->part == NULL ? 0 : buf_str(c->part->bytes).n;
	size_t max = c->part == NULL ? (size_t)c->w->conf->max_message_bytes
				     : c->part->max;
	bool packed = c->part == NULL ? h->rsv1 : c->part->packed;
	size_t bound = packed ? deflate_bound(max) : max;

	if (conn_is_ending(c))
		return begin_part(c, h, p, n);
#ifndef WS_ECHO
	if (h->opcode == WS_BINARY) {
		fail(
		    c, 1003, S("binary messages are not part of the protocol"));
		return 0;
	}
#endif
	if ((h->opcode == WS_CONT) != (c->part != NULL)) {
		fail(c, 1002, S("continuation out of place"));
		return 0;
	}
	if (h->len > bound || have + h->len > bound) {
		fail_too_large(c, max);
		return 0;
	}
	if (h->opcode == WS_CONT || !h->fin || n < h->len)
		return begin_part(c, h, p, n);
	ws_mask(p, (size_t)h->len, h->mask, 0);
	take_whole(c, h, str_make(p, (size_t)h->len), max);
	return (size_t)h->len;
}

/* Handles one frame, or its beginning; 0 when more bytes are needed. */
static size_t
take_frame(struct conn *c, char *p, size_t n, struct pings *pings)
{
	struct ws_head h;
	ssize_t head = ws_head_read(&h, str_make(p, n));
	size_t k;

	if (head == 0)
		return 0;
	if (head < 0) {
		fail(c, 1002, S("malformed frame"));
		return n;
	}
	if (!h.masked) {
		fail(c, 1002, S("frame is not masked"));
		return n;
	}
	if (h.rsv1 && c->deflate.bits == 0) {
		fail(c, 1002, S("compressed frame without permessage-deflate"));
		return n;
	}
	p += head;
	n -= (size_t)head;
	if (!(h.opcode & 8))
		return (size_t)head + take_data(c, &h, p, n);
	k = take_control(c, &h, p, n, pings);
	return k == 0 && h.len > 0 ? 0 : (size_t)head + k;
}

static size_t
feed(struct conn *c, char *p, size_t n)
{
	struct pings pings = { 0 };
	uint64_t unpacked = c->w->compression->unpacked;
	size_t used = 0, k;

	do {
		k = c->part != NULL && c->part->left > 0
		    ? take_payload(c, p + used, n - used)
		    : take_frame(c, p + used, n - used, &pings);
		used += k;
		if ((used < n && input_had_share(c)) ||
		    c->w->compression->unpacked - unpacked >
			WORKER_RECV_BYTES ||
		    input_is_full(c))
			input_yield(c);
	} while (k > 0 && used < n && c->state < CONN_FINISHING &&
	    !conn_is_halted(c));
	send_pong(c, &pings);
	if (used > 0)
		alive(c);
	if (c->app != NULL)
		stats_of(c->app)->bytes_in += used;
	return used;
}

void
ws_ping(struct conn *c)
{
	frame_ws_ping(worker_scratch(c->w));
	conn_queue_scratch(c);
	c->pinged = true;
	ws_arm(c);
}

static void
on_timeout(struct conn *c)
{
	if (conn_is_ending(c))
		conn_close(c);
	else
		c->w->ws->timeout(c);
}

static void
on_slow(struct conn *c)
{
	if (conn_is_ending(c))
		conn_close(c);
	else
		c->w->ws->slow(c);
}

static void
on_close(struct conn *c)
{
	conn_record_close(c, 1006, S("connection lost"));
	ws_leave(c);
	c->w->ws->gone(c);
	ws_part_free(c);
}

const struct conn_ops ws_ops = {
	.feed = feed,
	.after_goodbye_max = AFTER_GOODBYE_MAX,
	.on_timeout = on_timeout,
	.on_close = on_close,
	.on_slow = on_slow,
};
