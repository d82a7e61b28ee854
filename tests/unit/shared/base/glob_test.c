/* SPDX-License-Identifier: MIT */
/* glob.c: patterns of names. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <time.h>

#include "shared/base/base.h"
#include "shared/base/glob.h"

static void
stars_and_question_marks(void **state)
{
	static const struct {
		const char *pattern, *text;
		bool match;
	} rows[] = {
		{ "", "", true },
		{ "", "a", false },
		{ "*", "", true },
		{ "*", "anything", true },
		{ "a*c", "abbc", true },
		{ "a*c", "abb", false },
		{ "a*b*c", "aXbYbZc", true },
		{ "?", "", false },
		{ "?", "x", true },
		{ "room-?-*", "room-1-x", true },
		{ "room-?-*", "room-12-x", false },
		{ "*-eu", "room-eu-eu", true },
		{ "**a", "ba", true },
		{ "a", "A", false },
		{ "*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaa", false },
	};

	for (size_t i = 0; i < nitems(rows); i++)
		if (glob_matches(str_of(rows[i].pattern),
			str_of(rows[i].text)) != rows[i].match)
			fail_msg("%s %s", rows[i].pattern, rows[i].text);
}

/* The same by trying everything behind the last star. */
static bool
tries(struct str pattern, struct str text)
{
	size_t p = 0, t = 0, star = SIZE_MAX, mark = 0;

	while (t < text.n) {
		if (p < pattern.n && pattern.p[p] == '*') {
			star = p++;
			mark = t;
		} else if (p < pattern.n &&
		    (pattern.p[p] == '?' || pattern.p[p] == text.p[t])) {
			p++;
			t++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			t = ++mark;
		} else {
			return false;
		}
	}
	while (p < pattern.n && pattern.p[p] == '*')
		p++;
	return p == pattern.n;
}

static void
it_does_not_matter_which_way_is_taken(void **state)
{
	char a[300], b[300];

	srand(1);
	for (int k = 0; k < 50000; k++) {
		size_t n = (size_t)rand() % (k % 10 == 0 ? 300 : 12);
		size_t m = (size_t)rand() % (k % 10 == 0 ? 300 : 24);

		for (size_t i = 0; i < n; i++)
			a[i] = "aab*?\xff"[rand() % 6];
		for (size_t i = 0; i < m; i++)
			b[i] = "aaab\xff"[rand() % 5];
		if (glob_matches(str_make(a, n), str_make(b, m)) !=
		    tries(str_make(a, n), str_make(b, m)))
			fail_msg("%.*s %.*s", (int)n, a, (int)m, b);
	}
}

static clock_t
cost(bool (*fn)(struct str, struct str), struct str pattern, struct str text)
{
	clock_t began = clock();

	for (int i = 0; i < 20000; i++)
		assert_false(fn(pattern, text));
	return clock() - began;
}

/* A tenant writes such a pattern, and a stranger the names. */
static void
a_pattern_that_nearly_matches_everywhere_is_cheap(void **state)
{
	char a[96], b[200];

	memset(a, 'a', sizeof(a));
	memset(b, 'a', sizeof(b));
	a[0] = a[sizeof(a) - 1] = '*';
	a[sizeof(a) - 2] = 'b';
	for (int marks = 0; marks < 2; marks++) {
		struct str pattern = str_make(a, sizeof(a)),
			   text = str_make(b, sizeof(b));

		assert_true(cost(glob_matches, pattern, text) <
		    cost(tries, pattern, text) / 2);
		for (size_t i = 2; i < sizeof(a) - 2; i += 2)
			a[i] = '?';
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stars_and_question_marks),
		cmocka_unit_test(it_does_not_matter_which_way_is_taken),
		cmocka_unit_test(
		    a_pattern_that_nearly_matches_everywhere_is_cheap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
