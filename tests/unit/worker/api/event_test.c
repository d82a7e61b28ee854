/* SPDX-License-Identifier: MIT */
/*
 * event.c: every field missing, null, of the wrong type, too long, with
 * NUL, with half of a surrogate pair, duplicated; limits at and over their
 * value; channels that are named twice.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "shared/base/base.h"
#include "shared/base/hash.h"
#include "shared/ipc/ipc_msg.h"
#include "shared/pusher/channel_name.h"
#include "worker/api/event.h"

#define NAME "\"name\":\"e\""
#define DATA "\"data\":\"d\""
#define ROOM "\"channel\":\"room\""
#define EVENT NAME "," DATA "," ROOM

/* Small limits, so that rows stay short. */
static struct app
app_make(void)
{
	struct app app = { .max_channel_name_length = 40,
		.max_event_name_length = 8,
		.max_user_id_length = 8,
		.max_event_channels = 6,
		.max_event_bytes = 10 };

	return app;
}

static const struct {
	const char *json;
	unsigned status;
	const char *says; /* 200: the distinct channels, "a b" */
} rows[] = {
	{ "{" EVENT "}", 200, "room" },
	{ "{" EVENT ",\"other\":[{}]}", 200, "room" },
	{ "{" EVENT ",\"name\":\"last\"}", 200, "room" },
	{ "[]", 400, "has to be a JSON object" },
	{ "null", 400, "has to be a JSON object" },
	{ "{}", 400, "name is missing" },
	/* name */
	{ "{" DATA "," ROOM "}", 400, "name is missing: it has to be a str" },
	{ "{\"name\":null," DATA "," ROOM "}", 400, "name has to be a string" },
	{ "{\"name\":7," DATA "," ROOM "}", 400, "name has to be a string" },
	{ "{\"name\":\"\"," DATA "," ROOM "}", 400,
	    "the name of an event is 1 to 8 (max_event_name_length) "
	    "characters; this one has 0" },
	{ "{\"name\":\"12345678\"," DATA "," ROOM "}", 200, "room" },
	{ "{\"name\":\"123456789\"," DATA "," ROOM "}", 400,
	    "the name of an event is 1 to 8 (max_event_name_length) "
	    "characters; this one has 9" },
	{ "{\"name\":\"\\u00e4\xc3\xa4\xc3\xa4\xc3\xa4"
	  "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\"," DATA "," ROOM "}",
	    200, "room" },
	{ "{\"name\":\"a\\u0000\\\\b\"," DATA "," ROOM "}", 200, "room" },
	{ "{\"name\":\"\\ud800\"," DATA "," ROOM "}", 400,
	    "name has an unpaired surrogate" },
	{ "{\"name\":\"pusher:\"," DATA "," ROOM "}", 400,
	    "begins with pusher: or" },
	{ "{\"name\":\"\\u0070usher:\"," DATA "," ROOM "}", 400,
	    "begins with pusher: or" },
	{ "{\"name\":\"Pusher:\"," DATA "," ROOM "}", 200, "room" },
	{ "{\"name\":\"pusher\"," DATA "," ROOM "}", 200, "room" },
	/* data */
	{ "{" NAME "," ROOM "}", 400, "data is missing" },
	{ "{" NAME ",\"data\":null," ROOM "}", 400, "data has to be a string" },
	{ "{" NAME ",\"data\":{}," ROOM "}", 400, "data has to be a string" },
	{ "{" NAME ",\"data\":\"\"," ROOM "}", 200, "room" },
	{ "{" NAME ",\"data\":\"0123456789\"," ROOM "}", 200, "room" },
	{ "{" NAME ",\"data\":\"01234567890\"," ROOM "}", 413,
	    "data has 11 bytes: at most 10 (max_event_bytes)" },
	{ "{" NAME ",\"data\":\"\\u0000\\n\\u00e4\\u2028\\/\\\"\\\\\"," ROOM
	  "}",
	    200, "room" },
	{ "{" NAME ",\"data\":\"\\u0000\\n\\u00e4\\u2028\\/\\\"\\\\x\"," ROOM
	  "}",
	    413, "data has 11 bytes" },
	{ "{" NAME ",\"data\":\"\\ud83c\\udf88\\ud83c\\udf88xx\"," ROOM "}",
	    200, "room" },
	{ "{" NAME ",\"data\":\"\\uD83C\\uDF88\\ud83c\\udf88xxx\"," ROOM "}",
	    413, "data has 11 bytes" },
	{ "{" NAME ",\"data\":\"\\ud83c\"," ROOM "}", 400, "surrogate" },
	{ "{" NAME ",\"data\":\"\\ud83cx\"," ROOM "}", 400, "surrogate" },
	{ "{" NAME ",\"data\":\"\\ud83c\\n\"," ROOM "}", 400, "surrogate" },
	{ "{" NAME ",\"data\":\"\\ud83c\\u0041\"," ROOM "}", 400, "surr" },
	{ "{" NAME ",\"data\":\"\\udf88\"," ROOM "}", 400, "surrogate" },
	{ "{" NAME ",\"data\":\"\\\\ud800\"," ROOM "}", 200, "room" },
	/* channel, channels */
	{ "{" NAME "," DATA "}", 400, "channels is missing" },
	{ "{" NAME "," DATA ",\"channel\":null,\"channels\":null}", 400,
	    "channels is missing" },
	{ "{" NAME "," DATA ",\"channels\":[]}", 400, "channels is empty" },
	{ "{" NAME "," DATA ",\"channels\":\"a\"}", 400,
	    "channels has to be an array of strings" },
	{ "{" NAME "," DATA ",\"channels\":[1]}", 400,
	    "channels has to be a string" },
	{ "{" NAME "," DATA ",\"channel\":[\"a\"]}", 400,
	    "channel has to be a string" },
	{ "{" NAME "," DATA ",\"channels\":[\"a\",\"b\",\"a\",\"\\u0061\"]}",
	    200, "a b" },
	{ "{" NAME "," DATA ",\"channel\":\"a\",\"channels\":[\"b\",\"a\"]}",
	    200, "a b" },
	{ "{" EVENT ",\"channels\":[]}", 200, "room" },
	{ "{" NAME "," DATA ",\"channels\":[\"1\",\"2\",\"3\",\"4\",\"5\","
	  "\"6\"]}",
	    200, "1 2 3 4 5 6" },
	{ "{" EVENT ",\"channels\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\"]}", 400,
	    "there are 7 channels: at most 6 (max_event_channels)" },
	{ "{" NAME "," DATA ",\"channels\":[\"a\",\"\"]}", 400,
	    "a channel name is 1 to 40" },
	{ "{" NAME "," DATA ",\"channels\":[\"a\",\"b\\u0000\"]}", 400,
	    "a channel name is 1 to 40 (max_channel_name_length)" },
	{ "{" NAME "," DATA ",\"channels\":[\"a\",\"b\\ud800\"]}", 400,
	    "channels has an unpaired surrogate" },
	{ "{" NAME "," DATA ",\"channel\":\"a b\"}", 400,
	    "a b: a channel name is 1 to 40 (max_channel_name_length) "
	    "characters out of A-Z a-z 0-9 _ - = @ , . ; (this one has \" "
	    "\")" },
	{ "{" NAME "," DATA ",\"channel\":\"#x\"}", 400, "#x: a channel name" },
	{ "{" NAME "," DATA ",\"channel\":\"#server-to-user-\"}", 400,
	    "the id of a user is 1 to 8 (max_user_id_length) characters of "
	    "UTF-8 without control characters; this one is empty" },
	{ "{" NAME "," DATA ",\"channel\":\"#server-to-user-u-7\"}", 200,
	    "#server-to-user-u-7" },
	{ "{" NAME "," DATA
	  ",\"channel\":\"0123456789012345678901234567890123456789\"}",
	    200, "0123456789012345678901234567890123456789" },
	{ "{" NAME "," DATA
	  ",\"channel\":\"0123456789012345678901234567890123456789x\"}",
	    400, "(this one has 41)" },
	{ "{" NAME "," DATA ",\"channel\":\"private-encrypted-a\"}", 200,
	    "private-encrypted-a" },
	{ "{" NAME "," DATA ",\"channels\":[\"a\",\"private-encrypted-a\"]}",
	    400, "can only be for that one channel" },
	/* socket_id */
	{ "{" EVENT ",\"socket_id\":\"1.2\"}", 200, "room" },
	{ "{" EVENT ",\"socket_id\":null}", 200, "room" },
	{ "{" EVENT ",\"socket_id\":\"\"}", 400, "socket_id is malformed" },
	{ "{" EVENT ",\"socket_id\":\"1.2\\n\"}", 400, "malformed" },
	{ "{" EVENT ",\"socket_id\":1.2}", 400, "socket_id has to be a str" },
	{ "{" EVENT ",\"socket_id\":\"99999999999999999999.1\"}", 200, "room" },
	/* info */
	{ "{" EVENT ",\"info\":\"user_count,subscription_count\"}", 200,
	    "room" },
	{ "{" EVENT ",\"info\":\"\"}", 200, "room" },
	{ "{" EVENT ",\"info\":null}", 200, "room" },
	{ "{" EVENT ",\"info\":[\"user_count\"]}", 400,
	    "info has to be a string" },
	{ "{" EVENT ",\"info\":\"cache\"}", 400, "cache is not an attribute" },
	{ "{" EVENT ",\"info\":\"users\"}", 400, "users is not an attribute" },
};

/* Reads one text; the channels with blanks between them in *out. */
static unsigned
run(const char *text, bool batch, struct event *e, struct buf **out)
{
	struct app app = app_make();
	struct buf *why = NULL;
	struct json v, row[1 + EVENT_KEYS];
	struct json_rows r = {
		.keys = event_keys, .nkeys = EVENT_KEYS, .cells = row, .max = 1
	};
	const char *err;
	unsigned status;

	if (json_parse_rows(str_of(text), &v, &r, &err) == -1)
		fail_msg("%s: %s", text, err);
	status = event_read(e, &app, row, batch, &why);
	*out = buf_new(64);
	if (status != 200) {
		buf_append(out, buf_str(why));
		buf_unref(why);
		return status;
	}
	assert_null(why);
	for (size_t i = 0; i < e->n; i++) {
		if (i > 0)
			buf_putc(out, ' ');
		buf_append(out, e->v[i].name);
	}
	return status;
}

static void
test_rows(void **state)
{
	for (size_t i = 0; i < nitems(rows); i++) {
		struct event e;
		struct buf *got;
		unsigned status = run(rows[i].json, false, &e, &got);
		struct str want = str_of(rows[i].says);
		bool ok = status == rows[i].status &&
		    (status == 200 ? str_eq(buf_str(got), want)
				   : memmem(got->data, got->len, want.p,
					 want.n) != NULL);

		if (!ok)
			fail_msg("%s: %u %.*s", rows[i].json, status,
			    STR_ARG(buf_str(got)));
		buf_unref(got);
		event_clear(&e);
	}
}

static void
test_values(void **state)
{
	struct event e;
	struct buf *got;

	assert_int_equal(run("{\"name\":\"a\\/b\",\"data\":\"{\\\"n\\\":1}\","
			     "\"channels\":[\"presence-cache-a\",\"b\"],"
			     "\"socket_id\":\"3.4\",\"info\":\"user_count\"}",
			     false, &e, &got),
	    200);
	assert_true(str_eq(e.name, S("a/b")));
	assert_true(str_eq(e.data_raw, S("\"{\\\"n\\\":1}\"")));
	assert_int_equal(e.except, 3ull << 32 | 4);
	assert_int_equal(e.info, INFO_USER_COUNT);
	assert_int_equal(
	    e.v[0].flags, CHANNEL_PRIVATE | CHANNEL_PRESENCE | CHANNEL_CACHE);
	assert_int_equal(e.v[1].flags, 0);
	buf_unref(got);
	event_clear(&e);
}

static void
test_batch(void **state)
{
	struct event e;
	struct buf *got;

	assert_int_equal(
	    run("{" EVENT ",\"channels\":[\"x\"]}", true, &e, &got), 200);
	assert_true(str_eq(buf_str(got), S("room")));
	buf_unref(got);
	event_clear(&e);
	assert_int_equal(
	    run("{" NAME "," DATA ",\"channels\":[\"x\"]}", true, &e, &got),
	    400);
	assert_true(str_starts(buf_str(got), S("channel is missing")));
	buf_unref(got);
	event_clear(&e);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_batch),
	};

	hash_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
