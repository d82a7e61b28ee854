/* SPDX-License-Identifier: MIT */
/* identity.c: who the signed JSON says somebody is. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/base/base.h"
#include "worker/client/identity.h"

static const struct identity_limits limits = { 128, 100 };

static void
assert_str(struct str s, const char *want)
{
	if (!str_eq(s, str_of(want)))
		fail_msg("%.*s\nis not %s", STR_ARG(s), want);
}

static void
channel_data(void **state)
{
	static const struct {
		const char *data;
		enum identity_result want;
		const char *id, *info;
	} rows[] = {
		{ "{\"user_id\":\"u-7\"}", IDENTITY_OK, "u-7", "" },
		{ " {\"user_info\" : {\"a\" : 1e400} ,\"user_id\":\"x\"}",
		    IDENTITY_OK, "x", "{\"a\" : 1e400}" },
		{ "{\"user_id\":10,\"user_info\":null}", IDENTITY_OK, "10",
		    "" },
		{ "{\"user_id\":9007199254740993}", IDENTITY_OK,
		    "9007199254740993", "" },
		{ "{\"user_id\":1.50}", IDENTITY_OK, "1.50", "" },
		{ "{\"user_id\":\"\\u00e9\\\"\",\"user_info\":\"s\"}",
		    IDENTITY_OK, "\xc3\xa9\"", "\"s\"" },
		{ "{\"user_id\":\"a\",\"user_id\":\"b\"}", IDENTITY_OK, "b",
		    "" },
		{ "{\"user_id\":\"0\",\"user_info\":[1, 2]}", IDENTITY_OK, "0",
		    "[1, 2]" },
		{ "", IDENTITY_BAD, NULL, NULL },
		{ "u-7", IDENTITY_BAD, NULL, NULL },
		{ "[]", IDENTITY_BAD, NULL, NULL },
		{ "null", IDENTITY_BAD, NULL, NULL },
		{ "{}", IDENTITY_BAD, NULL, NULL },
		{ "{\"user_id\":\"\"}", IDENTITY_BAD, NULL, NULL },
		{ "{\"user_id\":\"a\\u0000\"}", IDENTITY_BAD, NULL, NULL },
		{ "{\"user_id\":null}", IDENTITY_BAD, NULL, NULL },
		{ "{\"user_id\":true}", IDENTITY_BAD, NULL, NULL },
		{ "{\"user_id\":{}}", IDENTITY_BAD, NULL, NULL },
		{ "{\"user_id\":\"\\ud800\"}", IDENTITY_BAD, NULL, NULL },
		{ "{\"user_id\":\"x\"} {}", IDENTITY_BAD, NULL, NULL },
	};

	for (size_t i = 0; i < nitems(rows); i++) {
		struct identity who;
		const char *why = NULL;

		if (identity_of_channel_data(&who, str_of(rows[i].data), limits,
			&why) != rows[i].want)
			fail_msg("%s", rows[i].data);
		if (rows[i].want == IDENTITY_OK) {
			assert_str(who.id, rows[i].id);
			assert_str(who.info, rows[i].info);
		} else {
			assert_non_null(why);
		}
		identity_clear(&who);
	}
}

/* 128 characters, not bytes. */
static void
id_length(void **state)
{
	struct identity who;
	const char *why;

	for (unsigned n = 127; n <= 129; n++) {
		struct buf *b = NULL;

		buf_append(&b, S("{\"user_id\":\""));
		for (unsigned i = 0; i < n; i++)
			buf_append(&b, S("\xc3\xa9"));
		buf_append(&b, S("\"}"));
		assert_int_equal(
		    identity_of_channel_data(&who, buf_str(b), limits, &why),
		    n <= 128 ? IDENTITY_OK : IDENTITY_LIMIT);
		identity_clear(&who);
		buf_unref(b);
	}
}

static void
user_data(void **state)
{
	static const struct {
		const char *data;
		enum identity_result want;
		const char *watch; /* NULL: none */
	} rows[] = {
		{ "{\"id\":\"u-7\"}", IDENTITY_OK, NULL },
		{ "{\"id\":\"u-7\",\"watchlist\":[]}", IDENTITY_OK, NULL },
		{ "{\"id\":\"u-7\",\"watchlist\":null}", IDENTITY_OK, NULL },
		{ "{\"id\":\"u-7\",\"watchlist\":[ \"a\" , \"\\u0062\" ]}",
		    IDENTITY_OK, "[\"a\",\"\\u0062\"]" },
		{ "{\"id\":7}", IDENTITY_BAD, NULL },
		{ "{\"id\":\"\"}", IDENTITY_BAD, NULL },
		{ "{\"id\":\"a b\"}", IDENTITY_OK, NULL },
		{ "{\"id\":\"auth0|\\u00e9/1\"}", IDENTITY_OK, NULL },
		{ "{\"id\":\"a\\n\"}", IDENTITY_BAD, NULL },
		{ "{\"id\":\"u\",\"watchlist\":[\"\"]}", IDENTITY_BAD, NULL },
		{ "{\"id\":\"u\",\"watchlist\":[\"a\\u0085\"]}", IDENTITY_BAD,
		    NULL },
		{ "{\"id\":\"u\",\"watchlist\":[\"a b|c\"]}", IDENTITY_OK,
		    "[\"a b|c\"]" },
		{ "{\"id\":\"a\\u0000\"}", IDENTITY_BAD, NULL },
		{ "{\"id\":null}", IDENTITY_BAD, NULL },
		{ "{\"user_id\":\"a\"}", IDENTITY_BAD, NULL },
		{ "\"u-7\"", IDENTITY_BAD, NULL },
		{ "{\"id\":\"u-7\",\"watchlist\":\"a\"}", IDENTITY_BAD, NULL },
		{ "{\"id\":\"u-7\",\"watchlist\":[1]}", IDENTITY_BAD, NULL },
		{ "{\"id\":\"u-7\",\"watchlist\":[\"a\",null]}", IDENTITY_BAD,
		    NULL },
		{ "{\"id\":\"u-7\",\"watchlist\":[\"\\udc00\"]}", IDENTITY_BAD,
		    NULL },
	};

	for (size_t i = 0; i < nitems(rows); i++) {
		struct identity who;
		const char *why = NULL;

		if (identity_of_user_data(&who, str_of(rows[i].data), limits,
			&why) != rows[i].want)
			fail_msg("%s", rows[i].data);
		if (rows[i].watch != NULL)
			assert_str(buf_str(who.watch), rows[i].watch);
		else if (rows[i].want == IDENTITY_OK)
			assert_null(who.watch);
		identity_clear(&who);
	}
}

/* The first 100 count; how many there were is known. */
static void
long_watchlist(void **state)
{
	struct buf *b = NULL, *want = NULL;
	struct identity who;
	const char *why;

	buf_append(&b, S("{\"id\":\"a\",\"watchlist\":["));
	for (unsigned i = 0; i < 250; i++) {
		buf_printf(&b, "%s\"w%u\"", i == 0 ? "" : ", ", i);
		if (i < 100)
			buf_printf(&want, "%c\"w%u\"", i == 0 ? '[' : ',', i);
	}
	buf_append(&b, S("]}"));
	buf_putc(&want, ']');
	assert_int_equal(
	    identity_of_user_data(&who, buf_str(b), limits, &why), IDENTITY_OK);
	assert_int_equal(who.nwatch, 250);
	assert_true(str_eq(buf_str(who.watch), buf_str(want)));
	identity_clear(&who);
	buf_unref(b);
	buf_unref(want);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(channel_data),
		cmocka_unit_test(id_length),
		cmocka_unit_test(user_data),
		cmocka_unit_test(long_watchlist),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
