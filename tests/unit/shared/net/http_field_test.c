/* SPDX-License-Identifier: MIT */
/* http_field.c: tokens, lists of tokens, query parameters. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/base/base.h"
#include "shared/net/http.h"

static void
assert_str(struct str s, const char *want)
{
	assert_non_null(s.p);
	assert_int_equal(s.n, strlen(want));
	assert_memory_equal(s.p, want, s.n);
}

static void
tokens_in_lists(void **state)
{
	static const struct {
		const char *value, *token;
		bool found;
	} t[] = {
		{ "Upgrade", "upgrade", true },
		{ "keep-alive, Upgrade", "upgrade", true },
		{ "keep-alive ,\tUpgrade\t", "upgrade", true },
		{ "Upgraded", "upgrade", false },
		{ "keep-alive Upgrade", "upgrade", false },
		{ "", "upgrade", false },
		{ ",,", "upgrade", false },
		{ ",upgrade,", "upgrade", true },
	};
	size_t i;

	for (i = 0; i < nitems(t); i++)
		assert_int_equal(
		    http_has_token(str_of(t[i].value), str_of(t[i].token)),
		    t[i].found);
	assert_false(http_has_token((struct str){ NULL, 0 }, S("x")));
	assert_true(http_is_token(S("x-Y_1!")));
	assert_false(http_is_token(S("")));
	assert_false(http_is_token(S("a b")));
	assert_false(http_is_token(S("a\0")));
}

static void
query_parameters(void **state)
{
	struct str q = S("a=1&b=&c&a=2&&=x&d=e=f&ab=9&%61=7");

	assert_str(http_query_get(q, S("a")), "1");
	assert_str(http_query_get(q, S("b")), "");
	assert_str(http_query_get(q, S("c")), "");
	assert_str(http_query_get(q, S("d")), "e=f");
	assert_str(http_query_get(q, S("%61")), "7");
	assert_null(http_query_get(q, S("A")).p);
	assert_null(http_query_get((struct str){ NULL, 0 }, S("a")).p);
	assert_null(http_query_get(S(""), S("a")).p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tokens_in_lists),
		cmocka_unit_test(query_parameters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
