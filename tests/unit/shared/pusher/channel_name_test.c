/* SPDX-License-Identifier: MIT */
/* channel_name.c: the vectors channel_class and socket_id, and the rest. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/base/base.h"
#include "shared/pusher/channel_name.h"
#include "shared/pusher/event_rules.h"
#include "tests/unit/shared/vectors.h"

#define MAX_NAME 164

static bool
expects(struct json expect, const char *key)
{
	return json_get(expect, str_of(key)).kind == JSON_TRUE;
}

static bool
says(struct json expect, const char *key, const char *want)
{
	struct json v = json_get(expect, str_of(key));

	return v.raw.n == strlen(want) + 2 &&
	    memcmp(v.raw.p + 1, want, strlen(want)) == 0;
}

/* May the server publish to it, as the channel of a user? */
static bool
is_user_channel(struct str name, unsigned max)
{
	struct event_rule rule;

	return (channel_flags(name) & CHANNEL_USER) != 0 &&
	    event_rule_channel(&rule, name, MAX_NAME, max) == NULL;
}

static void
channel_vectors(void **state)
{
	struct vectors vs;
	struct json v, expect;
	struct str name;
	unsigned flags, n = 0;
	char *mem;

	vectors_open(&vs);
	for (; vectors_next(&vs, "channel_class", &v); n++) {
		name = vector_text(json_get(v, S("input")), "channel", &mem);
		expect = json_get(v, S("expect"));
		flags = channel_flags(name);
		assert_int_equal(channel_name_is_valid(name, MAX_NAME),
		    says(expect, "subscribe", "valid"));
		if (says(expect, "subscribe", "valid")) {
			assert_int_equal((flags & CHANNEL_PRIVATE) != 0,
			    says(expect, "access", "auth"));
			assert_int_equal((flags & CHANNEL_PRESENCE) != 0,
			    expects(expect, "presence"));
			assert_int_equal((flags & CHANNEL_ENCRYPTED) != 0,
			    expects(expect, "encrypted"));
			assert_int_equal((flags & CHANNEL_CACHE) != 0,
			    expects(expect, "cache"));
			/* Client events: where a signature is needed. */
			assert_int_equal((flags & CHANNEL_PRIVATE) != 0,
			    expects(expect, "client_events"));
			assert_int_equal(flags & CHANNEL_USER, 0);
		} else {
			assert_int_equal(is_user_channel(name, MAX_NAME),
			    says(expect, "http_publish", "valid"));
		}
		free(mem);
	}
	vectors_close(&vs);
	assert_int_equal(n, 41);
}

static void
socket_id_vectors(void **state)
{
	struct vectors vs;
	struct json v;
	struct str id;
	unsigned n = 0;
	char *mem;

	vectors_open(&vs);
	for (; vectors_next(&vs, "socket_id", &v); n++) {
		id = vector_text(json_get(v, S("input")), "socket_id", &mem);
		assert_int_equal(socket_id_is_valid(id),
		    expects(json_get(v, S("expect")), "valid"));
		free(mem);
	}
	vectors_close(&vs);
	assert_int_equal(n, 14);
}

static void
every_byte_of_a_name(void **state)
{
	static const char legal[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz0123456789"
				    "_-=@,.;";
	char name[3] = "a?b";
	unsigned c;

	for (c = 0; c < 256; c++) {
		bool ok = memchr(legal, (int)c, sizeof(legal) - 1) != NULL;

		name[1] = (char)c;
		assert_int_equal(
		    channel_name_is_valid(str_make(name, 3), MAX_NAME), ok);
		assert_int_equal(
		    channel_name_is_valid(str_make(name + 1, 1), MAX_NAME), ok);
	}
}

static void
lengths_are_bounded(void **state)
{
	char text[300];

	memset(text, 'a', sizeof(text));
	assert_true(channel_name_is_valid(str_make(text, 164), 164));
	assert_false(channel_name_is_valid(str_make(text, 165), 164));
	assert_true(channel_name_is_valid(str_make(text, 200), 200));
	assert_false(channel_name_is_valid(str_make(text, 0), 164));
	assert_true(user_id_is_valid(str_make(text, 128), 128));
	assert_false(user_id_is_valid(str_make(text, 129), 128));
	assert_false(user_id_is_valid(S(""), 128));

	memcpy(text, CHANNEL_USER_PREFIX, strlen(CHANNEL_USER_PREFIX));
	assert_true(is_user_channel(str_make(text, 16 + 128), 128));
	assert_false(is_user_channel(str_make(text, 16 + 129), 128));
	assert_false(is_user_channel(str_make(text, 16 + 128), 127));
	assert_false(is_user_channel(str_make(text, 16), 164));
}

static void
c1_user_ids_are_utf8_without_control_characters(void **state)
{
#define ID(lit) \
	{ \
		lit, sizeof(lit) - 1 \
	}
	static const struct {
		struct str id;
		enum user_id_fault want;
	} rows[] = {
		{ ID("auth0|123"), USER_ID_GOOD },
		{ ID("ann+x@y.o"), USER_ID_GOOD },
		{ ID("{0f}"), USER_ID_GOOD },
		{ ID("J\xc3\xbcrgen"), USER_ID_GOOD },
		{ ID("users/1"), USER_ID_GOOD },
		{ ID("a b@c"), USER_ID_GOOD },
		{ ID(" "), USER_ID_GOOD },
		{ ID("#a%?&\"\\"), USER_ID_GOOD },
		{ ID("\xc2\xa0"), USER_ID_GOOD }, /* U+00A0 */
		{ ID("\xf0\x9f\x98\x80"), USER_ID_GOOD },
		{ ID("12345678\xe2\x82\xac\xe2\x82\xac"), USER_ID_GOOD },
		{ ID("12345678\xe2\x82\xac\xe2\x82\xac!"), USER_ID_LONG },
		{ ID("12345678901"), USER_ID_LONG },
		{ ID(""), USER_ID_EMPTY },
		{ ID("\0"), USER_ID_CONTROL },
		{ ID("a\nb"), USER_ID_CONTROL },
		{ ID("\x1f"), USER_ID_CONTROL },
		{ ID("\x7f"), USER_ID_CONTROL },
		{ ID("\xc2\x80"), USER_ID_CONTROL },
		{ ID("a\xc2\x9f"), USER_ID_CONTROL },
		{ ID("\xc2"), USER_ID_NOT_UTF8 },
		{ ID("J\xfcrgen"), USER_ID_NOT_UTF8 },
		{ ID("\xed\xa0\x80"), USER_ID_NOT_UTF8 },
		{ ID("\xc0\xaf"), USER_ID_NOT_UTF8 },
	};

#undef ID
	for (size_t i = 0; i < nitems(rows); i++)
		if (user_id_check(rows[i].id, 10) != rows[i].want)
			fail_msg("row %zu: %.*s", i, STR_ARG(rows[i].id));
}

static void
user_channels(void **state)
{
	struct str id = channel_user_id(S("#server-to-user-u-7"));

	assert_true(str_eq(id, S("u-7")));
	assert_true(is_user_channel(S("#server-to-user-u-7"), 164));
	assert_true(is_user_channel(S("#server-to-user-u 7"), 164));
	assert_false(is_user_channel(S("#server-to-user-u\n"), 164));
	assert_false(is_user_channel(S("#server-to-user-u\0"), 164));
	assert_false(is_user_channel(S("#server-to-user"), 164));
	assert_false(is_user_channel(S("#Server-to-user-a"), 164));
	assert_false(is_user_channel(S("a"), 164));
	assert_int_equal(channel_flags(S("#server-to-user-u-7")), CHANNEL_USER);
	assert_int_equal(channel_flags(S("#server")), 0);
	assert_int_equal(channel_flags(S("")), 0);
}

static void
socket_ids_come_back(void **state)
{
	static const struct {
		uint64_t sid;
		const char *text;
	} t[] = {
		{ 1, "0.1" },
		{ UINT64_C(1) << 32, "1.0" },
		{ UINT64_C(219049) << 32 | 5823310, "219049.5823310" },
		{ UINT64_MAX, "4294967295.4294967295" },
	};
	static const char *const foreign[] = { "0.0", "01.2", "1.02",
		"4294967296.1", "1.4294967296", "00.1", "1.00", "1.2.3", "1",
		"1.", ".1", "", "-1.2", "1.2\n", " 1.2",
		"99999999999999999999999.1" };
	char text[SOCKET_ID_MAX];
	size_t i;

	for (i = 0; i < nitems(t); i++) {
		socket_id_text(t[i].sid, text);
		assert_string_equal(text, t[i].text);
		assert_true(socket_id_is_valid(str_of(text)));
		assert_true(socket_id_parse(str_of(text)) == t[i].sid);
	}
	for (i = 0; i < nitems(foreign); i++)
		assert_true(socket_id_parse(str_of(foreign[i])) == 0);
	assert_true(socket_id_parse(S("1.2\0")) == 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(channel_vectors),
		cmocka_unit_test(socket_id_vectors),
		cmocka_unit_test(every_byte_of_a_name),
		cmocka_unit_test(lengths_are_bounded),
		cmocka_unit_test(
		    c1_user_ids_are_utf8_without_control_characters),
		cmocka_unit_test(user_channels),
		cmocka_unit_test(socket_ids_come_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
