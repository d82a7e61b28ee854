/* SPDX-License-Identifier: MIT */
/* api_params.c: decoding of a query, arrays. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/base/base.h"
#include "shared/base/buf.h"
#include "shared/pusher/api_params.h"

static const struct {
	const char *query;
	const char *want; /* key|base|value; for each */
} rows[] = {
	{ "", "" },
	{ "&&", "" },
	{ "a", "a|a|;" },
	{ "a=", "a|a|;" },
	{ "=b", "||b;" },
	{ "=", "||;" },
	{ "a=b=c&d", "a|a|b=c;d|d|;" },
	{ "A%42=%41b+%2B&c%3dd=e", "ab|ab|Ab +;c=d|c=d|e;" },
	{ "a=%&b=%4&c=%zz&%", "a|a|%;b|b|%4;c|c|%zz;%|%|;" },
	{ "a[]=1&B[0]=2&c%5B%5D=3", "a[]|a|1;b[0]|b|2;c[]|c|3;" },
	{ "[]=1&a]=2&a[=3&a[b]c=4&[x=5",
	    "[]|[]|1;a]|a]|2;a[|a[|3;"
	    "a[b]c|a[b]c|4;[x|[x|5;" },
	{ "a=1&a=2", "a|a|1;a|a|2;" },
	{ "AB=1&b%5A=2&c=D", "ab|ab|1;bz|bz|2;c|c|D;" },
	{ "%41uth_%4b=1", "auth_k|auth_k|1;" },
};

static void
test_parse(void **state)
{
	for (size_t i = 0; i < nitems(rows); i++) {
		struct buf *got = buf_new(256);
		struct api_params p;

		assert_int_equal(
		    api_params_parse(&p, str_of(rows[i].query)), 0);
		for (size_t j = 0; j < p.n; j++) {
			buf_append(&got, p.v[j].key);
			buf_putc(&got, '|');
			buf_append(&got, p.v[j].base);
			buf_putc(&got, '|');
			buf_append(&got, p.v[j].value);
			buf_putc(&got, ';');
		}
		if (!str_eq(buf_str(got), str_of(rows[i].want)))
			fail_msg(
			    "%s: %.*s", rows[i].query, STR_ARG(buf_str(got)));
		buf_unref(got);
		api_params_clear(&p);
	}
}

static void
test_no_query(void **state)
{
	struct api_params p;

	assert_int_equal(api_params_parse(&p, (struct str){ NULL, 0 }), 0);
	assert_int_equal(p.n, 0);
	assert_null(api_params_get(&p, S("a")).p);
}

static void
test_nul(void **state)
{
	struct api_params p;

	assert_int_equal(api_params_parse(&p, S("k%00=v%00x")), 0);
	assert_true(str_eq(p.v[0].key, S("k\0")));
	assert_true(str_eq(p.v[0].value, S("v\0x")));
	assert_null(api_params_get(&p, S("k")).p);
	api_params_clear(&p);
}

static void
test_too_many(void **state)
{
	struct buf *b = NULL;
	struct api_params p;

	for (int i = 0; i < API_PARAMS_MAX; i++)
		buf_append(&b, S("A%41=b&"));
	assert_int_equal(api_params_parse(&p, buf_str(b)), 0);
	assert_int_equal(p.n, API_PARAMS_MAX);
	api_params_clear(&p);
	buf_append(&b, S("x"));
	assert_int_equal(api_params_parse(&p, buf_str(b)), -1);
	assert_null(p.mem);
	buf_unref(b);
}

static void
test_next(void **state)
{
	static const char *const want[] = { "1", "2", "3" };
	struct api_params p;
	struct str v = S("");
	size_t pos = 0, n = 0;

	assert_int_equal(
	    api_params_parse(&p, S("a=1&b=x&a[]=2&A%5b7%5D=3&a[x]y=4")), 0);
	while (api_params_next(&p, S("a"), &pos, &v))
		assert_true(str_eq(v, str_of(want[n++])));
	assert_int_equal(n, nitems(want));
	api_params_clear(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_no_query),
		cmocka_unit_test(test_nul),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_next),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
