/* SPDX-License-Identifier: MIT */
/*
 * A client's bytes through the whole state machine of a connection, HTTP and
 * WebSocket: in one piece, and in random pieces.  The answers, what the broker
 * hears and how it ends are the same.  Input: a seed for the pieces; what to
 * speak; then either raw bytes or frames, which are masked here (RFC 6455
 * wants it, and libFuzzer would not find it).  With permessage-deflate the
 * payloads of whole messages may be compressed here, too.
 */

#include "shared/net/deflate.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/worker/rig.h"
#include "worker/conn/http_conn.h"

#define SID 0x100000007u
#define MESSAGE_MAX 1024

enum mode { RAW_WS, FRAMES, RAW_HTTP, PACKED, MODES };

struct outcome {
	struct buf *client; /* frames without pongs, or bytes */
	struct buf *broker;
	unsigned pings, pongs;
	bool over;
};

/* The same connection in both runs. */
static void
rename_conn(struct rig *r)
{
	hash_remove(&r->w.conns, &r->c->node);
	hash_insert(&r->w.conns, &r->c->node, SID);
}

/*
 * [first byte of a head][length][payload] … -> masked frames.  packed: 0x20
 * sets RSV1, and 0x10 compresses the payload.
 */
static struct buf *
make_frames(struct input *in, unsigned *pings, bool packed)
{
	struct deflater *d = deflater_new(1);
	struct buf *b = NULL;

	while (in->n > 0) {
		uint8_t first = input_u8(in);
		struct str s = input_str(in);
		struct buf *small = NULL;
		char *head;

		if (packed && (first & 0x10)) {
			deflater_run(d, S(""), s, &small);
			s = buf_str(small);
		}
		*pings += (first & 15) == WS_PING;
		rig_frame(&b, true, (enum ws_opcode)(first & 15), s);
		head = &b->data[b->len - s.n - (s.n > 125 ? 8 : 6)];
		if (!(first & 0x80) != !(first & 0x40))
			*head &= 0x7f;
		if (packed && (first & 0x20))
			*head |= 0x40;
		buf_unref(small);
	}
	deflater_free(d);
	return b;
}

static void
collect(struct rig *r, struct outcome *o, bool frames)
{
	enum ws_opcode op;
	struct buf *b;
	struct str body;
	uint32_t type;

	while (frames && rig_next(r, &op, &b)) {
		o->pongs += op == WS_PONG;
		if (op != WS_PONG) {
			buf_printf(&o->client, "\n%d ", (int)op);
			buf_append(&o->client, buf_str(b));
		}
		buf_unref(b);
	}
	if (!frames)
		buf_append(&o->client, str_make(r->in, r->n));
	while ((type = rig_heard(r, &body)) != IPC_NONE) {
		buf_printf(&o->broker, "\n%s ", ipc_name(type));
		buf_append(&o->broker, body);
	}
	o->over = r->eof;
}

static void
run(enum mode mode, struct str s, uint64_t *rng, struct outcome *o)
{
	struct rig r;

	rig_init(&r);
	r.conf.max_message_bytes =
	    mode == PACKED ? 64 * MESSAGE_MAX : MESSAGE_MAX;
	r.conf.max_head_bytes = 1024;
	r.conf.max_request_bytes = 1024;
	rig_app(&r)->max_client_events_per_second = 0;
	rig_app(&r)->client_events = 1;
	rig_link(&r);
	r.w.serving = true;
	if (mode == RAW_HTTP)
		rig_connect(&r, &http_ops);
	else
		rig_greeted(&r);
	if (mode == PACKED)
		r.c->deflate.bits = DEFLATE_BITS_MAX;
	rename_conn(&r);
	while (s.n > 0) {
		size_t k = rng == NULL ? s.n : fuzz_piece(rng, s.n);

		rig_send(&r, s.p, k);
		s = str_from(s, k);
		if (r.eof)
			break;
	}
	rig_turn(&r);
	collect(&r, o, mode != RAW_HTTP);
	rig_clear(&r);
}

static void
compare(struct buf *a, struct buf *b, const char *what)
{
	if (!str_eq(buf_str(a), buf_str(b)))
		fail_msg("%s, whole: %.*s\nin pieces: %.*s", what,
		    STR_ARG(buf_str(a)), STR_ARG(buf_str(b)));
	buf_unref(a);
	buf_unref(b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct input in = { p, n };
	struct outcome whole = { 0 }, split = { 0 };
	uint64_t rng = input_u8(&in) + 1u;
	enum mode mode = input_u8(&in) % MODES;
	struct buf *frames = NULL;
	struct str s = { (const char *)in.p, in.n };
	unsigned pings = UINT32_MAX;

	fuzz_start();
	if (mode == FRAMES || mode == PACKED) {
		pings = 0;
		frames = make_frames(&in, &pings, mode == PACKED);
		s = buf_str(frames);
	}
	run(mode, s, NULL, &whole);
	run(mode, s, &rng, &split);
	compare(whole.client, split.client, "client");
	compare(whole.broker, split.broker, "broker");
	assert_int_equal(whole.over, split.over);
	/* Several pings in one read may be answered together. */
	assert_true(whole.pongs <= pings && split.pongs <= pings);
	buf_unref(frames);
	return 0;
}
