/* SPDX-License-Identifier: MIT */
/*
 * ws.c: frames to messages, control frames, the close handshake, liveness.
 * A message that arrives is seen by its answer: pusher:ping gets a pong.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/base/base.h"
#include "tests/unit/worker/rig.h"
#include "worker/client/client.h"
#include "worker/client/error.h"
#include "worker/conn/output.h"
#include "worker/conn/timeout.h"

#define PING "{\"event\":\"pusher:ping\",\"data\":{}}"
#define PONG "{\"event\":\"pusher:pong\",\"data\":\"{}\"}"

static struct rig rig;

static int
setup(void **state)
{
	rig_init(&rig);
	rig_greeted(&rig);
	return 0;
}

static int
teardown(void **state)
{
	rig_clear(&rig);
	return 0;
}

/* Raw bytes, without mask or with one of zeros, as the rows say it. */
struct row {
	const char *name;
	struct str bytes;
	unsigned code;
};

#define Z "\0\0\0\0" /* a mask that changes nothing */

static void
failures(void **state)
{
	static const struct row rows[] = {
		{ "unmasked", { "\x81\x02{}", 4 }, 1002 },
		{ "reserved bit 1", { "\xc1\x80" Z, 6 }, 1002 },
		{ "reserved bit 2", { "\xa1\x80" Z, 6 }, 1002 },
		{ "reserved bit 3", { "\x91\x80" Z, 6 }, 1002 },
		{ "opcode 3", { "\x83\x80" Z, 6 }, 1002 },
		{ "opcode 7", { "\x87\x80" Z, 6 }, 1002 },
		{ "opcode 11", { "\x8b\x80" Z, 6 }, 1002 },
		{ "opcode 15", { "\x8f\x80" Z, 6 }, 1002 },
		{ "ping of 126", { "\x89\xfe\0\x7e" Z, 8 }, 1002 },
		{ "fragmented ping", { "\x09\x80" Z, 6 }, 1002 },
		{ "fragmented close", { "\x08\x80" Z, 6 }, 1002 },
		{ "16 bits for 5", { "\x81\xfe\0\x05" Z "hello", 13 }, 1002 },
		{ "64 bits for 5",
		    { "\x81\xff\0\0\0\0\0\0\0\x05" Z "hello", 19 }, 1002 },
		{ "top bit of 64", { "\x81\xff\x80\0\0\0\0\0\0\x05" Z, 14 },
		    1002 },
		{ "binary", { "\x82\x81" Z "x", 7 }, 1003 },
		{ "continuation of nothing", { "\x80\x81" Z "x", 7 }, 1002 },
		{ "text within a text", { "\x01\x81" Z "x\x81\x81" Z "x", 14 },
		    1002 },
		{ "too large, by its head alone",
		    { "\x81\xff\0\0\0\0\0\x02\0\x01" Z, 14 }, 1009 },
		{ "absurdly large",
		    { "\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff" Z, 14 },
		    1009 },
		{ "bad UTF-8", { "\x81\x82" Z "\xc3\x28", 8 }, 1007 },
		{ "overlong", { "\x81\x82" Z "\xc0\xaf", 8 }, 1007 },
		{ "surrogate", { "\x81\x83" Z "\xed\xa0\x80", 9 }, 1007 },
		{ "cut character", { "\x81\x81" Z "\xc3", 7 }, 1007 },
		{ "fails before the frame is complete",
		    { "\x81\xfe\x10\0" Z "\xff", 9 }, 1007 },
		{ "fails in the first fragment", { "\x01\x82" Z "a\xff", 8 },
		    1007 },
		{ "fails across fragments",
		    { "\x01\x81" Z "\xe2\x80\x81" Z "(", 14 }, 1007 },
		{ "ends within a character",
		    { "\x01\x81" Z "\xe2\x80\x81" Z "\x82", 14 }, 1007 },
		{ "close of one byte", { "\x88\x81" Z "\x03", 7 }, 1002 },
		{ "close 999", { "\x88\x82" Z "\x03\xe7", 8 }, 1002 },
		{ "close 1004", { "\x88\x82" Z "\x03\xec", 8 }, 1002 },
		{ "close 1005", { "\x88\x82" Z "\x03\xed", 8 }, 1002 },
		{ "close 1006", { "\x88\x82" Z "\x03\xee", 8 }, 1002 },
		{ "close 1015", { "\x88\x82" Z "\x03\xf7", 8 }, 1002 },
		{ "close 5000", { "\x88\x82" Z "\x13\x88", 8 }, 1002 },
		{ "close reason", { "\x88\x83" Z "\x03\xe8\xff", 9 }, 1007 },
		{ "close, empty", { "\x88\x80" Z, 6 }, 0 },
		{ "close 1000", { "\x88\x82" Z "\x03\xe8", 8 }, 1000 },
		{ "close 1001 bye",
		    { "\x88\x85" Z "\x03\xe9"
		      "bye",
			11 },
		    1001 },
		{ "close 3000", { "\x88\x82" Z "\x0b\xb8", 8 }, 3000 },
		{ "close 4999", { "\x88\x82" Z "\x13\x87", 8 }, 4999 },
	};

	for (size_t i = 0; i < nitems(rows); i++) {
		for (int split = 0; split < 2; split++) {
			rig_greeted(&rig);
			for (size_t k = 0; split && k < rows[i].bytes.n; k++)
				rig_send(&rig, rows[i].bytes.p + k, 1);
			if (!split)
				rig_send(
				    &rig, rows[i].bytes.p, rows[i].bytes.n);
			if (rig.n == 0)
				fail_msg("%s: no answer", rows[i].name);
			rig_expect_close(&rig, rows[i].code);
			rig_expect_nothing(&rig);
			if (!rig.eof)
				fail_msg("%s: not closed", rows[i].name);
		}
	}
}

/* Every way to cut a message into frames, and the stream into reads. */
static void
fragments(void **state)
{
	const struct str text = S(PING);
	const struct str euro =
	    S("{\"event\":\"pusher:ping\",\"x\":\"\xe2\x82\xac\"}");

	for (size_t cut = 0; cut <= euro.n; cut++) {
		struct buf *b = NULL;

		rig_frame(&b, false, WS_TEXT, str_make(euro.p, cut));
		rig_frame(&b, true, WS_PING, S("in between"));
		rig_frame(&b, true, WS_CONT, str_from(euro, cut));
		rig_send(&rig, b->data, b->len);
		rig_expect(&rig, WS_PONG, S("in between"));
		rig_expect_text(&rig, PONG);
		for (size_t i = 0; i < b->len; i++)
			rig_send(&rig, b->data + i, 1);
		rig_expect(&rig, WS_PONG, S("in between"));
		rig_expect_text(&rig, PONG);
		buf_unref(b);
	}
	/* one byte to a frame, and empty ones */
	struct buf *b = NULL;

	rig_frame(&b, false, WS_TEXT, S(""));
	for (size_t i = 0; i < text.n; i++) {
		rig_frame(&b, false, WS_CONT, str_make(text.p + i, 1));
		if (i % 4 == 0)
			rig_frame(&b, false, WS_CONT, S(""));
	}
	rig_frame(&b, true, WS_CONT, S(""));
	rig_frame(&b, true, WS_TEXT, text);
	rig_send(&rig, b->data, b->len);
	rig_expect_text(&rig, PONG);
	rig_expect_text(&rig, PONG);
	rig_expect_nothing(&rig);
	assert_null(rig.c->part);
	buf_unref(b);
}

static void
fragment_floods(void **state)
{
	struct buf *b = NULL;

	rig_frame(&b, false, WS_TEXT, S("x"));
	for (int i = 0; i < 70; i++)
		rig_frame(&b, false, WS_CONT, S(""));
	rig_send(&rig, b->data, b->len);
	rig_expect_close(&rig, 1008);
	b->len = 0;
	rig_greeted(&rig);
	rig_frame(&b, false, WS_TEXT, S("x"));
	for (int i = 0; i < 1024; i++)
		rig_frame(&b, false, WS_CONT, S("y"));
	rig_send(&rig, b->data, b->len);
	rig_expect_close(&rig, 1008);
	buf_unref(b);
}

/* The bound counts the whole message, not a frame. */
static void
sizes(void **state)
{
	struct buf *b = NULL;
	char *fill = xcalloc(1, 131072);

	memset(fill, ' ', 131072);
	memcpy(fill, PING, sizeof(PING) - 1);
	rig_text(&rig, str_make(fill, 131072));
	rig_expect_text(&rig, PONG);
	rig_frame(&b, false, WS_TEXT, str_make(fill, 131000));
	rig_frame(&b, true, WS_CONT, str_make(fill + 131000, 72));
	rig_send(&rig, b->data, b->len);
	rig_expect_text(&rig, PONG);
	b->len = 0;
	rig_frame(&b, false, WS_TEXT, str_make(fill, 131072));
	rig_frame(&b, false, WS_CONT, S(""));
	rig_frame(&b, true, WS_CONT, S(" "));
	rig_send(&rig, b->data, b->len);
	rig_expect_close(&rig, 1009);
	buf_unref(b);
	free(fill);
}

/* A few pings are all answered; of a flood the last one. */
static void
pings(void **state)
{
	struct buf *b = NULL;
	char text[16];
	enum ws_opcode op;
	struct buf *last = NULL, *got;
	unsigned n = 0;

	for (int i = 0; i < 10; i++) {
		snprintf(text, sizeof(text), "p%d", i);
		rig_frame(&b, true, WS_PING, str_of(text));
	}
	rig_send(&rig, b->data, b->len);
	for (int i = 0; i < 10; i++) {
		snprintf(text, sizeof(text), "p%d", i);
		rig_expect(&rig, WS_PONG, str_of(text));
	}
	b->len = 0;
	for (int i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text), "p%d", i);
		rig_frame(&b, true, WS_PING, str_of(text));
	}
	rig_frame(&b, true, WS_PONG, S("nobody asked"));
	rig_send(&rig, b->data, b->len);
	while (rig_next(&rig, &op, &got)) {
		assert_int_equal(op, WS_PONG);
		buf_unref(last);
		last = got;
		n++;
	}
	assert_true(str_eq(buf_str(last), S("p999")));
	assert_in_range(n, 1, 50);
	buf_unref(last);
	buf_unref(b);
}

/* We close first: nothing but the peer's close counts then. */
static void
our_close(void **state)
{
	struct buf *b = NULL;

	rig_frame(&b, false, WS_TEXT, S("{\"event\":"));
	rig_send(&rig, b->data, b->len - 3); /* half a frame is there */
	client_close(rig.c, 4009, S("connection terminated"));
	assert_true(list_is_empty(&rig.c->client));
	rig_turn(&rig);
	rig_expect_text(&rig,
	    "{\"event\":\"pusher:error\",\"data\":{\"code\":4009,"
	    "\"message\":\"connection terminated\"}}");
	rig_expect(&rig, WS_CLOSE,
	    S("\x0f\xa9"
	      "connection terminated"));
	assert_false(rig.eof);
	rig_send(&rig, b->data + b->len - 3, 3);
	b->len = 0;
	rig_frame(&b, true, WS_CONT, S("\"pusher:ping\"}"));
	rig_frame(&b, true, WS_TEXT, S(PING));
	rig_frame(&b, true, WS_BINARY, S("x"));
	rig_frame(&b, true, WS_PING, S("x"));
	rig_send(&rig, b->data, b->len);
	rig_expect_nothing(&rig);
	assert_false(rig.eof);
	b->len = 0;
	rig_frame(&b, true, WS_CLOSE, S("\x03\xe8"));
	rig_frame(&b, true, WS_TEXT, S(PING));
	rig_send(&rig, b->data, b->len);
	rig_expect_nothing(&rig);
	assert_true(rig.eof);
	buf_unref(b);
}

/* Lets the timeout pass without waiting for it. */
static void
expire(void)
{
	struct conn *c = rig.c;

	timeout_clear(&c->timeout);
	c->ops->on_timeout(c);
	rig_turn(&rig);
}

static uint32_t
armed(void)
{
	return rig.c->timeout.list == NULL ? 0 : rig.c->timeout.list->seconds;
}

static void
liveness(void **state)
{
	struct buf *b = NULL;

	assert_int_equal(armed(), 30);
	expire();
	rig_expect(&rig, WS_PING, S("*"));
	assert_int_equal(armed(), 30);
	rig_frame(&b, true, WS_PONG, S(""));
	rig_send(&rig, b->data, b->len);
	assert_int_equal(armed(), 30);
	expire();
	rig_expect(&rig, WS_PING, S("*"));
	rig_text(&rig, S(PING)); /* any frame is a sign of life */
	rig_expect_text(&rig, PONG);
	assert_int_equal(armed(), 30);
	expire();
	rig_expect(&rig, WS_PING, S("*"));
	expire();
	rig_expect(&rig, WS_CLOSE,
	    S("\x10\x69"
	      "pong not received"));
	assert_int_equal(armed(), 3);
	assert_false(rig.eof);
	expire();
	assert_true(rig.eof);
	buf_unref(b);
}

/* The broker lets the client into a channel. */
static void
join(struct str channel)
{
	struct msg_sub_done m = { .sid = conn_sid(rig.c), .stamp = 1 };

	subscription_request(rig.c, channel, NULL);
	m.ref = rig.w.next_ref;
	assert_int_equal(client_on_sub_done(&rig.w, &m), 0);
}

static void
authorisation(void **state)
{
	rig_app(&rig)->authorized_connections = 1;
	rig_greeted(&rig);
	rig.c->authorized = false;
	rig.c->opened_at = worker_now();
	ws_arm(rig.c);
	assert_in_range(armed(), 30, 31);
	rig_text(&rig, S(PING)); /* life does not move the deadline */
	rig_expect_text(&rig, PONG);
	rig.c->opened_at -= 30.;
	expire();
	rig_expect(&rig, WS_TEXT,
	    S("{\"event\":\"pusher:error\",\"data\":{\"code\":4009,*"));
	rig_expect_close(&rig, 4009);
	/* In time. */
	rig_greeted(&rig);
	rig.c->authorized = false;
	rig.c->opened_at = worker_now();
	ws_arm(rig.c);
	join(S("room"));
	assert_false(rig.c->authorized);
	join(S("private-room"));
	assert_true(rig.c->authorized);
	assert_true(rig.c->admission == ADMISSION_DONE);
	assert_int_equal(armed(), 30);
	/* Switched off meanwhile. */
	rig_greeted(&rig);
	rig.c->authorized = false;
	rig.c->opened_at = worker_now() - 40.;
	rig_app(&rig)->authorized_connections = 0;
	expire();
	rig_expect(&rig, WS_PING, S("*"));
	assert_true(rig.c->admission == ADMISSION_DONE);
	rig_app(&rig)->authorized_connections = 0;
}

/*
 * A client that does not read is told so behind what was queued, but only after
 * the socket has taken nothing for some time.
 */
static void
l10_slow(void **state)
{
	enum ws_opcode op = WS_TEXT;
	struct buf *got;
	unsigned n = 0, queued = 0;

	rig.conf.client_buffer = 16384;
	while (rig.c->backlog != BACKLOG_SLOW) {
		conn_queue_bytes(rig.c,
		    S("\x81\x04"
		      "null"));
		queued++;
		if (rig.c->backlog != BACKLOG_OVER)
			continue;
		assert_false(rig.c->backlog == BACKLOG_SLOW);
		output_flush(&rig.w);
		rig.c->blocked_at -= 0.05;
	}
	for (int i = 0; i < 20; i++)
		rig_turn(&rig);
	while (rig_next(&rig, &op, &got) && str_eq(buf_str(got), S("null"))) {
		buf_unref(got);
		n++;
	}
	assert_int_equal(n, queued);
	assert_int_equal(op, WS_TEXT);
	assert_true(str_starts(buf_str(got),
	    S("{\"event\":\"pusher:error\",\"data\":{\"code\":4100,")));
	buf_unref(got);
	rig_expect_close(&rig, 4100);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(failures, setup, teardown),
		cmocka_unit_test_setup_teardown(fragments, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    fragment_floods, setup, teardown),
		cmocka_unit_test_setup_teardown(sizes, setup, teardown),
		cmocka_unit_test_setup_teardown(pings, setup, teardown),
		cmocka_unit_test_setup_teardown(our_close, setup, teardown),
		cmocka_unit_test_setup_teardown(liveness, setup, teardown),
		cmocka_unit_test_setup_teardown(authorisation, setup, teardown),
		cmocka_unit_test_setup_teardown(l10_slow, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
