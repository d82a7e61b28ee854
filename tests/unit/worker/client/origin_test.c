/* SPDX-License-Identifier: MIT */
/* origin.c: the allow-list of origins. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/base/base.h"
#include "worker/client/origin.h"

static void
origins(void **state)
{
	static const struct {
		const char *patterns, *origin; /* NULL: no such header */
		bool want;
	} rows[] = {
		{ "", "https://a.test", true },
		{ "  ,", "https://a.test", true },
		{ "a.test", NULL, true },
		{ "*", "https://a.test", true },
		{ "*", "null", true },
		{ "null", "null", true },
		{ "a.test", "null", false },
		{ "a.test", "https://a.test", true },
		{ "a.test", "http://a.test:8080", true },
		{ "A.Test", "https://a.TEST", true },
		{ "a.test", "https://b.test", false },
		{ "a.test", "https://xa.test", false },
		{ "a.test", "https://a.test.evil", false },
		{ "a.test", "https://evil/a.test", false },
		{ "a.test", "", false },
		{ "a.test", "a.test", true },
		{ "a.test:8080", "http://a.test:8080", true },
		{ "a.test:8080", "http://a.test", false },
		{ "a.test:80*", "http://a.test:8080", true },
		{ "a.test:*", "http://a.test:8080", true },
		{ "localhost:*", "http://localhost:3000", true },
		{ "b.test a.test", "https://a.test", true },
		{ "b.test,a.test", "https://a.test", true },
		{ " b.test\ta.test ", "https://a.test", true },
		{ "b.test c.test", "https://a.test", false },
		{ "*.a.test", "https://x.a.test", true },
		{ "*.a.test", "https://x.y.a.test:1", true },
		{ "*.a.test", "https://a.test", false },
		{ "*.a.test", "https://xa.test", false },
		{ "*.a.test", "https://evil/.a.test", false },
		{ "*.a.test", "https://x.a.test.evil", false },
		{ "https://a.test", "https://a.test", true },
		{ "https://a.test", "http://a.test", false },
		{ "https://a.test", "https://a.test:444", false },
		{ "https://*.a.test", "https://x.a.test", true },
		{ "https://*.a.test", "https://e/x.a.test", false },
		{ "https://*.a.test", "https://*.a.test", false },
		{ "https://*.a.test", "https://u@.a.test", false },
		{ "https://*.a.test", "https://?.a.test", false },
		{ "*://a.test", "http://a.test", true },
		{ "http*://a.test", "https://a.test", true },
		{ "[::1]", "http://[::1]:3000", true },
		{ "[::1]:3000", "http://[::1]:3000", true },
		{ "a*b*c", "x://aXbXbc", true },
		{ "a*b*c", "x://aXbXcb", false },
		{ "***", "x://anything", true },
	};

	for (size_t i = 0; i < nitems(rows); i++) {
		struct str o = str_of(rows[i].origin);

		if (origin_is_allowed(str_of(rows[i].patterns), o) !=
		    rows[i].want)
			fail_msg("[%s] %s", rows[i].patterns,
			    o.p == NULL ? "(none)" : o.p);
	}
}

/* No pattern makes it slow. */
static void
stars(void **state)
{
	char p[2000], o[16000];

	for (size_t i = 0; i < sizeof(p); i++)
		p[i] = i % 2 == 0 ? '*' : 'a';
	memset(o, 'a', sizeof(o));
	o[sizeof(o) - 1] = 'b';
	assert_false(
	    origin_is_allowed(str_make(p, sizeof(p)), str_make(o, sizeof(o))));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(origins),
		cmocka_unit_test(stars),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
