/* SPDX-License-Identifier: MIT */
/*
 * frames.c beyond the vectors: other forms, double encoding, heads around
 * payloads of each size class, control frames.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/base/base.h"
#include "shared/json/json_write.h"
#include "shared/pusher/frames.h"
#include "tests/unit/shared/pusher/frame_read.h"
#include "tests/unit/shared/vectors.h"

static void
other_forms(void **state)
{
	struct buf *b = NULL;

	frame_error(&b, 0, S("no \"event\""));
	assert_frame(b,
	    S("{\"event\":\"pusher:error\",\"data\":{\"code\":null,"
	      "\"message\":\"no \\\"event\\\"\"}}"));
	b = NULL;
	frame_error(&b, 4003, (struct str){ NULL, 0 });
	assert_frame(b,
	    S("{\"event\":\"pusher:error\",\"data\":{\"code\":4003,"
	      "\"message\":\"This app is disabled\"}}"));
	b = NULL;
	frame_member_added(&b, S("presence-x"), S("u"), S("null"));
	assert_frame(b,
	    S("{\"event\":\"pusher_internal:member_added\",\"channel\":"
	      "\"presence-x\",\"data\":\"{\\\"user_id\\\":\\\"u\\\","
	      "\\\"user_info\\\":null}\"}"));
	b = NULL;
	frame_subscription_error(&b, (struct str){ NULL, 0 }, "InvalidChannel",
	    400, S("channel is missing"));
	assert_frame(b,
	    S("{\"event\":\"pusher:error\",\"data\":{\"code\":null,"
	      "\"message\":\"channel is missing\"}}"));
	b = NULL;
	frame_established(&b, UINT64_MAX, 1);
	assert_frame(b,
	    S("{\"event\":\"pusher:connection_established\",\"data\":"
	      "\"{\\\"socket_id\\\":\\\"4294967295.4294967295\\\","
	      "\\\"activity_timeout\\\":1}\"}"));
	b = NULL;
	frame_event(&b, S("App\\Events\\\"X\"\n"), S("c"), S("\"\""), S(""));
	assert_frame(b,
	    S("{\"event\":\"App\\\\Events\\\\\\\"X\\\"\\n\",\"channel\":\"c\","
	      "\"data\":\"\",\"user_id\":\"\"}"));
}

/* `data`, decoded from the frame, as JSON in *mem. */
static struct json
data_of(struct buf *b, struct str *text, char **mem)
{
	struct json frame, data;
	const char *err;
	size_t at = 0;

	assert_int_equal(
	    json_parse(next_frame(b, &at, WS_TEXT), &frame, &err), 0);
	*text = vector_text(frame, "data", mem);
	assert_int_equal(json_parse(*text, &data, &err), 0);
	return data;
}

/* Ids and data with everything that must be escaped once or twice. */
static void
double_encoding_comes_back(void **state)
{
	const struct str odd = S("q\"b\\n\n\0 \x1f/\xc3\xa9\xf0\x9f\x8e\x88");
	struct str id, text;
	struct buf *b = NULL;
	struct json data;
	char *mem, *mem2;

	frame_member_added(
	    &b, S("presence-x"), odd, S("[1e400, 9007199254740993]"));
	data = data_of(b, &text, &mem);
	id = vector_text(data, "user_id", &mem2);
	assert_str(id, odd);
	assert_str(
	    json_get(data, S("user_info")).raw, S("[1e400, 9007199254740993]"));
	free(mem);
	free(mem2);
	buf_unref(b);

	b = NULL;
	frame_member_removed(&b, S("presence-x"), odd);
	data = data_of(b, &text, &mem);
	id = vector_text(data, "user_id", &mem2);
	assert_str(id, odd);
	free(mem);
	free(mem2);
	buf_unref(b);

	b = NULL;
	frame_signin_success(&b, odd);
	data = data_of(b, &text, &mem);
	id = vector_text(data, "user_data", &mem2);
	assert_str(id, odd);
	free(mem);
	free(mem2);
	buf_unref(b);

	b = NULL;
	frame_subscription_error(&b, S("a b"), "InvalidChannel", 400, odd);
	data = data_of(b, &text, &mem);
	id = vector_text(data, "error", &mem2);
	assert_str(id, odd);
	free(mem);
	free(mem2);
	buf_unref(b);
}

/* Each size around the borders of the head's size, with bytes before. */
static void
heads_fit_their_payload(void **state)
{
	static const size_t sizes[] = { 0, 1, 2, 5, 124, 125, 126, 127, 128,
		1000, 65534, 65535, 65536, 65537, 200000 };
	static char text[200000];
	struct buf *b = NULL;
	size_t i, at = 0, mark;

	for (i = 0; i < sizeof(text); i++)
		text[i] = (char)('a' + i % 23);
	for (i = 0; i < nitems(sizes); i++) {
		mark = frame_begin(&b);
		json_raw(&b, str_make(text, sizes[i]));
		frame_end(&b, mark);
		frame_text(&b, str_make(text, sizes[i]));
	}
	for (i = 0; i < 2 * nitems(sizes); i++)
		assert_str(
		    next_frame(b, &at, WS_TEXT), str_make(text, sizes[i / 2]));
	assert_int_equal(at, b->len);
	buf_unref(b);
}

static void
large_events(void **state)
{
	static char data[70000];
	struct buf *b = NULL;
	struct json frame;
	const char *err;
	size_t at = 0;

	memset(data, 'x', sizeof(data));
	data[0] = data[sizeof(data) - 1] = '"';
	frame_event(&b, S("e"), S("c"), str_make(data, sizeof(data)),
	    (struct str){ NULL, 0 });
	assert_int_equal(
	    json_parse(next_frame(b, &at, WS_TEXT), &frame, &err), 0);
	assert_str(
	    json_get(frame, S("data")).raw, str_make(data, sizeof(data)));
	buf_unref(b);
}

static void
control_frames(void **state)
{
	char long_ping[125];
	struct buf *b = NULL;
	size_t at = 0;

	memset(long_ping, 'p', sizeof(long_ping));
	frame_ws_ping(&b);
	frame_ws_pong(&b, S("hi"));
	frame_ws_pong(&b, str_make(long_ping, sizeof(long_ping)));
	frame_ws_close(&b, 0, S("not said"));
	frame_ws_close(&b, 1000, S(""));
	frame_ws_close(&b, 4100, S("over"));
	frame_ws_close(&b, 4201, (struct str){ NULL, 0 });
	assert_str(next_frame(b, &at, WS_PING), S(""));
	assert_str(next_frame(b, &at, WS_PONG), S("hi"));
	assert_int_equal(next_frame(b, &at, WS_PONG).n, 125);
	assert_str(next_frame(b, &at, WS_CLOSE), S(""));
	assert_str(next_frame(b, &at, WS_CLOSE), S("\x03\xe8"));
	assert_str(next_frame(b, &at, WS_CLOSE), S("\x10\x04over"));
	assert_str(
	    next_frame(b, &at, WS_CLOSE), S("\x10\x69Pong not received"));
	assert_int_equal(at, b->len);
	buf_unref(b);
}

static void
close_reasons_are_cut(void **state)
{
	char reason[300];
	struct str s;
	struct buf *b;
	size_t lead, at;

	/* Characters of 1 to 4 bytes lie across byte 123 in every way. */
	for (lead = 100; lead < 130; lead++) {
		memset(reason, 'a', lead);
		memcpy(
		    reason + lead, "\xf0\x9f\x8e\x88\xe2\x82\xac\xc3\xa9", 9);
		memset(reason + lead + 9, 'b', sizeof(reason) - lead - 9);
		b = NULL;
		at = 0;
		frame_ws_close(&b, 4200, str_make(reason, sizeof(reason)));
		s = next_frame(b, &at, WS_CLOSE);
		assert_true(s.n <= 125 && s.n >= 2 + 120);
		s = str_from(s, 2);
		assert_true(utf8_is_valid(s));
		assert_memory_equal(s.p, reason, s.n);
		buf_unref(b);
	}
	b = NULL;
	at = 0;
	frame_ws_close(&b, 4200, str_make(reason, 123));
	assert_int_equal(next_frame(b, &at, WS_CLOSE).n, 125);
	buf_unref(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(other_forms),
		cmocka_unit_test(double_encoding_comes_back),
		cmocka_unit_test(heads_fit_their_payload),
		cmocka_unit_test(large_events),
		cmocka_unit_test(control_frames),
		cmocka_unit_test(close_reasons_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
