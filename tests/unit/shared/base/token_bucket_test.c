/* SPDX-License-Identifier: MIT */
/* token_bucket.c, utf8.c: token buckets, lengths and characters. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/base/base.h"
#include "shared/base/token_bucket.h"
#include "shared/base/utf8.h"

/* How many of `tries` at this moment are granted. */
static unsigned
take(float *tokens, double *at, double now, uint32_t rate, unsigned tries)
{
	unsigned n = 0;

	while (tries-- > 0)
		n += token_bucket_take(tokens, at, now, rate);
	return n;
}

static void
bucket(void **state)
{
	static const struct {
		double now;
		unsigned tries, want;
	} steps[] = {
		{ 1000., 15, 10 }, /* full at first */
		{ 1000., 1, 0 },
		{ 1000.05, 1, 0 }, /* half a token */
		{ 1000.1, 3, 1 },
		{ 1000.6, 9, 5 },
		{ 1001.6, 20, 10 },
		{ 5000., 20, 10 }, /* never more than it holds */
		{ 4000., 3, 0 },   /* a clock that jumps back gives none */
		{ 4000.5, 9, 5 },
	};
	float tokens = 0.f;
	double at = 0.;

	for (size_t i = 0; i < nitems(steps); i++)
		assert_int_equal(
		    take(&tokens, &at, steps[i].now, 10, steps[i].tries),
		    steps[i].want);
}

/* Exactly at the rate nothing is ever refused, however long. */
static void
steady(void **state)
{
	float tokens = 0.f;
	double at = 0.;

	for (unsigned i = 0; i < 100000; i++)
		assert_true(token_bucket_take(&tokens, &at, 1e9 + i * 0.1, 10));
}

/* One above it is, in the long run, exactly the rate. */
static void
flood(void **state)
{
	static const uint32_t rates[] = { 1, 3, 10, 1000, 100000 };

	for (size_t i = 0; i < nitems(rates); i++) {
		uint32_t rate = rates[i];
		float tokens = 0.f;
		double at = 0.;
		unsigned n = 0;

		for (unsigned k = 0; k < 10000; k++)
			n += take(&tokens, &at, 1e6 + k * 0.001, rate,
			    rate / 1000 + 2);
		/* ten seconds and what it held */
		assert_in_range(n, rate * 10, rate * 11 + rate / 100 + 1);
	}
}

/* It may hold more than one second gives. */
static void
bursts(void **state)
{
	float tokens = 0.f;
	double at = 0.;
	unsigned n = 0;

	for (unsigned i = 0; i < 100; i++)
		n += token_bucket_take_burst(&tokens, &at, 1e6, 10, 20);
	assert_int_equal(n, 20);
	for (unsigned i = 0; i < 100; i++)
		n += token_bucket_take_burst(&tokens, &at, 1e6 + 1., 10, 20);
	assert_int_equal(n, 30);
	for (unsigned i = 0; i < 100; i++)
		n += token_bucket_take_burst(&tokens, &at, 1e6 + 100., 10, 20);
	assert_int_equal(n, 50);
}

static void
lengths(void **state)
{
	static const struct {
		const char *s;
		size_t n;
	} rows[] = {
		{ "", 0 },
		{ "abc", 3 },
		{ "\xc3\xa9", 1 },
		{ "\xe2\x82\xac"
		  "x",
		    2 },
		{ "\xf0\x9f\x98\x80\xf0\x9f\x98\x80", 2 },
	};

	for (size_t i = 0; i < nitems(rows); i++)
		assert_int_equal(str_characters(str_of(rows[i].s)), rows[i].n);
}

static void
printables(void **state)
{
	static const struct {
		const char *s;
		size_t n;
	} rows[] = {
		{ "a", 1 },
		{ "\x1f", 0 },
		{ "\x7f", 0 },
		{ "\xc2\x9f", 0 },
		{ "\xc2\xa0", 2 },
		{ "\xc2", 0 },
		{ "\xc1\xbf", 0 },
		{ "\xe0\x9f\xbf", 0 },
		{ "\xe2\x82\xac", 3 },
		{ "\xe2\x82", 0 },
		{ "\xed\xa0\x80", 0 },
		{ "\xf0\x9f\x98\x80", 4 },
		{ "\xf4\x90\x80\x80", 0 },
	};

	for (size_t i = 0; i < nitems(rows); i++)
		assert_int_equal(utf8_printable(str_of(rows[i].s)), rows[i].n);
}

static void
cuts(void **state)
{
	const struct str s = S("a\xe2\x82\xac\xf0\x9f\x98\x80z");
	static const size_t want[] = { 0, 1, 1, 1, 4, 4, 4, 4, 8, 9, 9 };

	for (size_t max = 0; max < nitems(want); max++)
		assert_int_equal(utf8_cut(s, max).n, want[max]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bucket),
		cmocka_unit_test(steady),
		cmocka_unit_test(flood),
		cmocka_unit_test(bursts),
		cmocka_unit_test(lengths),
		cmocka_unit_test(printables),
		cmocka_unit_test(cuts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
