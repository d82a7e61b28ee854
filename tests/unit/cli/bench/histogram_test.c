/* SPDX-License-Identifier: MIT */
/* Times in log-linear slots, to one percent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/bench/histogram.h"
#include "shared/base/base.h"

static void
test_values(void **state)
{
	static const uint64_t v[] = { 0, 1, 63, 64, 65, 127, 128, 1000, 4095,
		4096, 123456, 999999, 1000000, 123456789, 60000000000u };

	for (size_t i = 0; i < nitems(v); i++) {
		struct histogram h = { 0 };
		uint64_t got;

		histogram_add(&h, v[i]);
		got = histogram_at(&h, 0.5);
		assert_true(got <= v[i]);
		assert_true(v[i] - got <= v[i] / 64);
		assert_int_equal(h.max, v[i]);
	}
}

static void
test_shares(void **state)
{
	struct histogram h = { 0 };

	assert_int_equal(histogram_at(&h, 0.5), 0);
	for (uint64_t i = 1; i <= 1000; i++)
		histogram_add(&h, i * 1000);
	assert_in_range(histogram_at(&h, 0.5), 490000, 500000);
	assert_in_range(histogram_at(&h, 0.99), 970000, 990000);
	assert_in_range(histogram_at(&h, 0.999), 980000, 999000);
	assert_in_range(histogram_at(&h, 1), 980000, 1000000);
	assert_in_range(histogram_at(&h, 0), 900, 1000);
}

/* Above the last slot nothing is lost but precision. */
static void
test_far_out(void **state)
{
	struct histogram h = { 0 };

	histogram_add(&h, UINT64_MAX);
	assert_int_equal(h.n, 1);
	assert_true(histogram_at(&h, 1) > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_shares),
		cmocka_unit_test(test_far_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
