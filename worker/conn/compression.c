/* SPDX-License-Identifier: MIT */
/*
 * compression.c: negotiates compression, unpacks messages of connections, and
 * packs frames for them.  Owns struct compression: one inflater for all,
 * because the answer to each offer forbids clients to keep a context, and one
 * deflater.  Must never hold anything for a single connection.
 */

#include "worker/conn/compression.h"

#include "shared/app/app.h"
#include "shared/base/buf.h"
#include "shared/conf/conf.h"
#include "shared/net/ws_frame.h"
#include "shared/pusher/channel_name.h"
#include "worker/app/stats.h"
#include "worker/conn/conn.h"
#include "worker/conn/input.h"
#include "worker/core/core.h"

#define KEEP_BYTES (64u << 10) /* of a buffer, between two messages */
#define LIST_BYTES 1024        /* a list of members is long from here on */
#define RSV1 0x40
/* Of messages of clients, unpacked. */
#define SMALL_BYTES (16u << 10) /* a small one, at most */
#define SMALL_TURN (1u << 20)   /* bytes in one turn, of all clients */
#define LARGE_TURN (256u << 10) /* likewise, or one message */
#define BLOCK_BYTES 1024        /* take as long as a block without any */

void
compression_init(struct worker *w)
{
	list_init(&w->compression->contexts);
	compression_turn(w);
}

void
compression_free(struct worker *w)
{
	struct compression *x = w->compression;

	inflater_free(x->inflater);
	deflater_free(x->deflater);
	buf_unref(x->message);
	buf_unref(x->packed);
	buf_unref(x->list);
	buf_unref(x->list_packed);
}

static bool
is_on(const struct conn *c)
{
	return c->w->conf->compression && c->app != NULL && c->app->compression;
}

void
compression_negotiate(
    struct conn *c, const struct http_head *head, struct buf **b)
{
	size_t i = 0;

	if (!is_on(c))
		return;
	while (i < head->nheaders &&
	    (!str_eq_nocase(
		 head->headers[i].name, S("Sec-WebSocket-Extensions")) ||
		!deflate_negotiate(head->headers[i].value, &c->deflate)))
		i++;
	if (i == head->nheaders)
		return;
	buf_append(b, S("Sec-WebSocket-Extensions: "));
	deflate_answer(&c->deflate, b);
	buf_append(b, S("\r\n"));
}

void
compression_terms(const struct conn *c, struct buf **b)
{
	deflate_answer(&c->deflate, b);
}

/* Empties the buffer, and frees a large one. */
static struct buf **
reuse(struct buf **b)
{
	if (*b != NULL && (*b)->cap > KEEP_BYTES) {
		buf_unref(*b);
		*b = NULL;
	}
	if (*b != NULL)
		(*b)->len = 0;
	return b;
}

/*
 * A message that turns out to be large starts again when its turn has come, so
 * that it delays small ones of other clients by one large message at most.
 */
bool
compression_unpack(
    struct conn *c, size_t max, struct str *s, enum inflate_result *r)
{
	struct compression *x = c->w->compression;
	bool large = x->large == c;
	int64_t *left = large ? &x->large_left : &x->small_left;
	size_t bound = large ? max : MIN(max, SMALL_BYTES);

	if (*left <= 0) {
		input_wait(c, LINE_UNPACK);
		return false;
	}
	if (x->inflater == NULL)
		x->inflater = inflater_new();
	*r = inflater_run(x->inflater, *s, bound, reuse(&x->message));
	*left -= *r == INFLATE_TOO_LARGE ? bound : x->message->len;
	*left -= inflater_blocks(x->inflater) * BLOCK_BYTES;
	if (*r == INFLATE_TOO_LARGE && bound < max) {
		input_wait(c, LINE_UNPACK_LARGE);
		return false;
	}
	*s = buf_str(x->message);
	x->unpacked += s->n;
	return true;
}

void
compression_turn(struct worker *w)
{
	w->compression->small_left = SMALL_TURN;
	w->compression->large_left = LARGE_TURN;
}

struct conn *
compression_next(struct worker *w)
{
	struct compression *x = w->compression;
	struct conn *c = NULL;

	x->large = NULL;
	if (x->small_left > 0)
		c = input_next(w, LINE_UNPACK);
	if (c == NULL && x->large_left > 0)
		x->large = c = input_next(w, LINE_UNPACK_LARGE);
	return c;
}

struct str
compression_pack(
    struct worker *w, struct str before, struct str frame, struct str payload)
{
	struct compression *x = w->compression;
	unsigned char head[WS_HEAD_MAX];
	size_t n;
	char *p;

	if (x->deflater == NULL || x->level != w->conf->compression_level) {
		deflater_free(x->deflater);
		x->level = w->conf->compression_level;
		x->deflater = deflater_new((int)x->level);
	}
	w->stats->counts.deflate_runs++;
	buf_reserve(reuse(&x->packed), WS_HEAD_MAX);
	x->packed->len = WS_HEAD_MAX;
	deflater_run(x->deflater, before, payload, &x->packed);
	n = ws_head_write(WS_TEXT, x->packed->len - WS_HEAD_MAX, head);
	head[0] = (unsigned char)frame.p[0] | RSV1;
	p = x->packed->data + WS_HEAD_MAX - n;
	memcpy(p, head, n);
	return str_make(p, x->packed->len - WS_HEAD_MAX + n);
}

/* As compression_pack(), unless the client before got the same. */
static struct str
pack_list(struct conn *c, struct str frame, struct str payload)
{
	struct compression *x = c->w->compression;
	struct str packed;

	if (x->list != NULL && str_eq(buf_str(x->list), payload))
		return buf_str(x->list_packed);
	input_charge(c, payload.n / COST_DEFLATE);
	packed = compression_pack(c->w, S(""), frame, payload);
	if (payload.n >= LIST_BYTES && payload.n <= KEEP_BYTES) {
		buf_append(reuse(&x->list), payload);
		buf_append(reuse(&x->list_packed), packed);
	}
	return packed;
}

/* The frame in its shorter form. */
static struct str
pack_answer(struct conn *c, struct str frame, struct str payload)
{
	struct stats_app *a = stats_of(c->app);
	struct str packed;

	if (c->deflate.bits < DEFLATE_BITS_MAX &&
	    payload.n > (size_t)1 << c->deflate.bits)
		return frame;
	packed = pack_list(c, frame, payload);
	if (packed.n >= frame.n)
		return frame;
	c->packed_id = 0; /* of no channel's last event */
	c->saved += (int64_t)(frame.n - packed.n);
	a->packed_raw += frame.n;
	a->packed_sent += packed.n;
	return packed;
}

void
compression_queue_answer(struct conn *c, struct str channel, struct str frames)
{
	size_t min = LIST_BYTES;
	struct buf *b = NULL;
	struct ws_head h;
	ssize_t n;

	input_charge(c, frames.n / COST_ANSWER);
	if (c->deflate.bits == 0 || !is_on(c) ||
	    (channel_flags(channel) & CHANNEL_ENCRYPTED)) {
		conn_queue_answer(c, frames);
		return;
	}
	while ((n = ws_head_read(&h, frames)) > 0 &&
	    h.len <= frames.n - (size_t)n) {
		struct str payload = str_make(frames.p + n, (size_t)h.len);
		struct str frame = str_make(frames.p, (size_t)n + payload.n);

		frames = str_from(frames, frame.n);
		buf_append(&b,
		    payload.n < min ? frame : pack_answer(c, frame, payload));
		min = (size_t)c->w->conf->compression_alone_bytes;
	}
	buf_append(&b, frames);
	conn_queue_answer(c, buf_str(b));
	buf_unref(b);
}
