/* SPDX-License-Identifier: MIT */
/* str.c: compare, cut, numbers, hex, percent-decoding; never past the end. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "shared/base/base.h"
#include "shared/base/str.h"
#include "shared/base/xmalloc.h"

/* Two literals as views, NULs included. */
#define V(lit) \
	{ \
		(lit), sizeof(lit) - 1 \
	}

static void
comparing(void **state)
{
	static const struct {
		struct str a, b;
		int order; /* of str_cmp() */
		bool eq, nocase, starts, ends;
	} rows[] = {
		{ V(""), V(""), 0, true, true, true, true },
		{ V("a"), V(""), 1, false, false, true, true },
		{ V(""), V("a"), -1, false, false, false, false },
		{ V("abc"), V("ab"), 1, false, false, true, false },
		{ V("abc"), V("bc"), -1, false, false, false, true },
		{ V("abc"), V("abc"), 0, true, true, true, true },
		{ V("AbC"), V("aBc"), -1, false, true, false, false },
		{ V("a\0b"), V("a\0c"), -1, false, false, false, false },
		{ V("a\0b"), V("a"), 1, false, false, true, false },
		{ V("\xff"), V("a"), 1, false, false, false, false },
		/* '[' and '{', '@' and '`' differ by the same bit as 'A', 'a'
		 */
		{ V("[@"), V("{`"), -1, false, false, false, false },
		/* no locale: a capital A with umlaut stays one */
		{ V("\xc4"), V("\xe4"), -1, false, false, false, false },
	};
	struct str none = { NULL, 0 };
	size_t i;
	int r;

	(void)state;
	for (i = 0; i < nitems(rows); i++) {
		r = str_cmp(rows[i].a, rows[i].b);
		assert_int_equal((r > 0) - (r < 0), rows[i].order);
		r = str_cmp(rows[i].b, rows[i].a);
		assert_int_equal((r > 0) - (r < 0), -rows[i].order);
		assert_int_equal(str_eq(rows[i].a, rows[i].b), rows[i].eq);
		assert_int_equal(
		    str_eq_nocase(rows[i].a, rows[i].b), rows[i].nocase);
		assert_int_equal(
		    str_starts(rows[i].a, rows[i].b), rows[i].starts);
		assert_int_equal(str_ends(rows[i].a, rows[i].b), rows[i].ends);
	}
	assert_true(str_eq(none, S("")));
	assert_true(str_starts(none, none) && str_ends(none, none));
	assert_true(str_eq_nocase(none, S("")));
	assert_int_equal(str_cmp(none, S("")), 0);
}

static void
parts(void **state)
{
	static const struct {
		struct str s;
		size_t n;
		const char *parts[4];
	} rows[] = {
		{ V(""), 1, { "" } },
		{ V(","), 2, { "", "" } },
		{ V("a"), 1, { "a" } },
		{ V("a,b"), 2, { "a", "b" } },
		{ V("a,,b,"), 4, { "a", "", "b", "" } },
	};
	struct str rest, part;
	size_t i, n;

	(void)state;
	for (i = 0; i < nitems(rows); i++) {
		rest = rows[i].s;
		for (n = 0; rest.p != NULL; n++) {
			part = str_cut(&rest, ',');
			assert_true(n < rows[i].n);
			assert_true(str_eq(part, str_of(rows[i].parts[n])));
		}
		assert_int_equal(n, rows[i].n);
	}
	assert_int_equal(str_find(S("abc"), 'c'), 2);
	assert_int_equal(str_find(S("abc"), 'd'), -1);
	assert_int_equal(str_find(S("a\0b"), '\0'), 1);
	assert_int_equal(str_find(S(""), '\0'), -1);
	assert_int_equal(str_find((struct str){ NULL, 0 }, 'a'), -1);
	assert_true(str_eq(str_from(S("abc"), 1), S("bc")));
	assert_true(str_eq(str_from(S("abc"), 3), S("")));
	assert_true(str_eq(str_from(S("abc"), SIZE_MAX), S("")));
}

static void
trimming(void **state)
{
	static const struct {
		struct str in, out;
	} rows[] = {
		{ V(""), V("") },
		{ V(" \t "), V("") },
		{ V("a"), V("a") },
		{ V(" a b\t"), V("a b") },
		{ V("\na\r"), V("\na\r") },
		{ V("\va\0 "), V("\va\0") },
	};
	size_t i;

	(void)state;
	for (i = 0; i < nitems(rows); i++)
		assert_true(str_eq(str_trim(rows[i].in), rows[i].out));
}

static void
numbers(void **state)
{
	static const struct {
		struct str s;
		uint64_t max;
		int result;
		uint64_t value;
	} rows[] = {
		{ V("0"), 0, 0, 0 },
		{ V("1"), 0, -1, 0 },
		{ V("9"), 8, -1, 0 },
		{ V("7"), 7, 0, 7 },
		{ V("007"), 7, 0, 7 },
		{ V("000000000000000000000000000000001"), 1, 0, 1 },
		{ V("65535"), 65535, 0, 65535 },
		{ V("65536"), 65535, -1, 0 },
		{ V("100000"), 65535, -1, 0 },
		{ V("18446744073709551615"), UINT64_MAX, 0, UINT64_MAX },
		{ V("18446744073709551616"), UINT64_MAX, -1, 0 },
		{ V("99999999999999999999"), UINT64_MAX, -1, 0 },
		{ V("18446744073709551615"), UINT64_MAX - 1, -1, 0 },
		{ V("184467440737095516150"), UINT64_MAX, -1, 0 },
		{ V(""), 10, -1, 0 },
		{ V("+1"), 10, -1, 0 },
		{ V("-1"), 10, -1, 0 },
		{ V(" 1"), 10, -1, 0 },
		{ V("1 "), 10, -1, 0 },
		{ V("1\0"), 10, -1, 0 },
		{ V("0x1"), 10, -1, 0 },
		{ V("1e1"), 10, -1, 0 },
		{ V("1.0"), 10, -1, 0 },
		{ V("\xd9\xa1"), 10, -1, 0 }, /* ARABIC-INDIC DIGIT ONE */
		{ V("/"), 10, -1, 0 },
		{ V(":"), 10, -1, 0 },
	};
	uint64_t v;
	size_t i;

	(void)state;
	for (i = 0; i < nitems(rows); i++) {
		v = 4711;
		assert_int_equal(
		    str_to_u64(rows[i].s, rows[i].max, &v), rows[i].result);
		assert_int_equal(v, rows[i].result == 0 ? rows[i].value : 4711);
	}
}

static void
times(void **state)
{
	static const struct {
		struct str s;
		int result;
		uint64_t ms;
	} rows[] = {
		{ V("2s"), 0, 2000 },
		{ V("8s"), 0, 8000 },
		{ V("8000ms"), 0, 8000 },
		{ V("1ms"), 0, 1 },
		{ V("9s"), -1, 0 },
		{ V("8001ms"), -1, 0 },
		{ V("0s"), -1, 0 },
		{ V("0ms"), -1, 0 },
		{ V("s"), -1, 0 },
		{ V("ms"), -1, 0 },
		{ V(""), -1, 0 },
		{ V("2"), -1, 0 },
		{ V("-2s"), -1, 0 },
		{ V("2 s"), -1, 0 },
		{ V("18446744073709553s"), -1, 0 },
	};

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		uint64_t ms = 0;

		assert_int_equal(
		    str_to_ms(rows[i].s, 8000, &ms), rows[i].result);
		assert_true(ms == rows[i].ms);
	}
}

static void
hex(void **state)
{
	static const struct {
		struct str s;
		int result;
	} bad[] = {
		{ V(""), -1 },
		{ V("00ff7"), -1 },
		{ V("00ff7f0"), -1 },
		{ V("00ff7f00"), -1 },
		{ V("00FF7f"), -1 },
		{ V("00fg7f"), -1 },
		{ V("00f 7f"), -1 },
		{ V("00ff7\0"), -1 },
		{ V("0x00ff"), -1 },
		{ V("00ff7f"), 0 },
	};
	unsigned char all[256], back[256];
	char text[2 * sizeof(all) + 1];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(all); i++)
		all[i] = (unsigned char)i;
	str_hex(all, sizeof(all), text);
	assert_int_equal(strlen(text), 2 * sizeof(all));
	assert_memory_equal(text, "000102030405060708090a0b0c0d0e0f1011", 36);
	assert_string_equal(text + 508, "feff");
	assert_int_equal(str_unhex(str_of(text), back, sizeof(back)), 0);
	assert_memory_equal(all, back, sizeof(all));
	str_hex(NULL, 0, text);
	assert_string_equal(text, "");
	assert_int_equal(str_unhex(S(""), back, 0), 0);
	for (i = 0; i < nitems(bad); i++)
		assert_int_equal(str_unhex(bad[i].s, back, 3), bad[i].result);
	/* 2 * n must not wrap round to the length of the text */
	assert_int_equal(str_unhex(S(""), back, SIZE_MAX / 2 + 1), -1);
}

static void
percent(void **state)
{
	static const struct {
		struct str in, out;
		bool form;
	} rows[] = {
		{ V(""), V(""), false },
		{ V("abc"), V("abc"), false },
		{ V("a%20b"), V("a b"), false },
		{ V("a+b"), V("a+b"), false },
		{ V("a+b%2B"), V("a b+"), true },
		{ V("%2b%2B"), V("++"), true },
		{ V("%00"), V("\0"), false },
		{ V("%C3%a9"), V("\xc3\xa9"), false },
		{ V("%"), V("%"), false },
		{ V("%4"), V("%4"), false },
		{ V("%41"), V("A"), false },
		{ V("%4g"), V("%4g"), false },
		{ V("%g4"), V("%g4"), false },
		{ V("%%41"), V("%A"), false },
		{ V("%2541"), V("%41"), false }, /* once, not twice */
		{ V("%+1"), V("% 1"), true },
		{ V("%4"
		    "\0"),
		    V("%4"
		      "\0"),
		    false },
	};
	char *out, *in;
	size_t i, n;

	(void)state;
	for (i = 0; i < nitems(rows); i++) {
		/* exact sizes, so that a sanitizer sees one byte too many */
		in = xmalloc(rows[i].in.n + 1);
		out = xmalloc(rows[i].in.n + 1);
		memcpy(in + 1, rows[i].in.p, rows[i].in.n);
		n = str_percent_decode(
		    str_make(in + 1, rows[i].in.n), rows[i].form, out + 1);
		assert_true(str_eq(str_make(out + 1, n), rows[i].out));
		free(in);
		free(out);
	}
}

static void
copies(void **state)
{
	char *p = str_dup(S("a\0b"));

	(void)state;
	assert_memory_equal(p, "a\0b", 4);
	free(p);
	p = str_dup((struct str){ NULL, 0 });
	assert_string_equal(p, "");
	free(p);
	assert_int_equal(str_of(NULL).n, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comparing),
		cmocka_unit_test(parts),
		cmocka_unit_test(trimming),
		cmocka_unit_test(numbers),
		cmocka_unit_test(times),
		cmocka_unit_test(hex),
		cmocka_unit_test(percent),
		cmocka_unit_test(copies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
