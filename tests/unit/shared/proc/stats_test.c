/* SPDX-License-Identifier: MIT */
/*
 * stats_test.c: histograms at their bounds, close codes, sums, and the table
 * of all metrics: names, labels and families as Prometheus wants them.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "shared/base/base.h"
#include "shared/base/str.h"
#include "shared/proc/stats.h"

static void
bounds_ascend(void **state)
{
	(void)state;
	for (unsigned i = 1; i < STATS_BOUNDS; i++) {
		assert_true(stats_bounds_short[i] > stats_bounds_short[i - 1]);
		assert_true(stats_bounds_age[i] > stats_bounds_age[i - 1]);
		assert_true(stats_bounds_long[i] > stats_bounds_long[i - 1]);
	}
}

static void
a_value_on_a_bound_is_below_it(void **state)
{
	struct stats_hist h = { .sum = 0 };

	(void)state;
	for (unsigned i = 0; i < STATS_BOUNDS; i++)
		stats_observe(&h, stats_bounds_short, stats_bounds_short[i]);
	stats_observe(&h, stats_bounds_short, 0);
	stats_observe(
	    &h, stats_bounds_short, stats_bounds_short[STATS_BOUNDS - 1] + 1);
	assert_int_equal(h.n[0], 2);
	for (unsigned i = 1; i <= STATS_BOUNDS; i++)
		assert_int_equal(h.n[i], 1);
	assert_int_equal(stats_hist_count(&h), STATS_BOUNDS + 2);
}

static void
quantiles_lie_between_bounds(void **state)
{
	struct stats_hist h = { 0 };

	(void)state;
	assert_int_equal(stats_hist_quantile(&h, stats_bounds_short, 99), 0);
	for (int i = 0; i < 100; i++)
		stats_observe(&h, stats_bounds_short, i < 98 ? 700 : 7000);
	assert_int_equal(stats_hist_quantile(&h, stats_bounds_short, 50), 755);
	assert_int_equal(stats_hist_quantile(&h, stats_bounds_short, 99), 7500);
	assert_int_equal(
	    stats_hist_quantile(&h, stats_bounds_short, 100), 10000);
	stats_observe(&h, stats_bounds_short, UINT64_MAX / 2);
	assert_int_equal(
	    stats_hist_quantile(&h, stats_bounds_short, 100), 10000000);
}

static void
codes_have_places(void **state)
{
	static const unsigned known[] = { 1000, 1001, 1005, 1006, 1009, 4001,
		4009, 4100, 4200, 4201 };

	(void)state;
	for (size_t i = 0; i < nitems(known); i++) {
		enum stats_code c = stats_code(known[i]);
		uint64_t n;

		assert_int_not_equal(c, STATS_CODE_OTHER);
		assert_int_equal(
		    str_to_u64(str_of(stats_code_name(c)), 9999, &n), 0);
		assert_int_equal(n, known[i]);
		assert_true(strlen(stats_code_text(c)) > 0);
	}
	assert_int_equal(stats_code(0), STATS_CODE_OTHER);
	assert_int_equal(stats_code(4999), STATS_CODE_OTHER);
	assert_string_equal(stats_code_name(STATS_CODE_OTHER), "other");
}

static void
structs_add_up(void **state)
{
	struct stats_app a = { .opened = 1, .slow = 7 }, b = { .opened = 41 };

	(void)state;
	stats_add(&a, &b, sizeof(a));
	assert_int_equal(a.opened, 42);
	assert_int_equal(a.slow, 7);
	assert_int_equal(a.ended, 0);
}

static bool
is_name(const char *s)
{
	for (; *s != '\0'; s++)
		if (!(*s >= 'a' && *s <= 'z') && *s != '_' &&
		    !(*s >= '0' && *s <= '9'))
			return false;
	return true;
}

/* No name twice but within its family, where the labels differ. */
static void
the_table_is_in_order(void **state)
{
	(void)state;
	for (size_t i = 0; i < stats_nmetrics; i++) {
		const struct metric *m = &stats_metrics[i];

		assert_true(is_name(m->name));
		assert_int_equal(m->at % sizeof(uint64_t), 0);
		if (stats_begins_family(i))
			assert_true(strlen(m->help) > 0);
		if (m->bounds != NULL)
			assert_true(m->seconds);
		for (size_t j = 0; j < i; j++) {
			const struct metric *other = &stats_metrics[j];

			if ((m->scope == METRIC_ALIAS) !=
				(other->scope == METRIC_ALIAS) ||
			    strcmp(m->name, other->name) != 0)
				continue;
			assert_string_not_equal(m->label, other->label);
			for (size_t k = j + 1; k <= i; k++)
				assert_false(stats_begins_family(k));
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bounds_ascend),
		cmocka_unit_test(a_value_on_a_bound_is_below_it),
		cmocka_unit_test(quantiles_lie_between_bounds),
		cmocka_unit_test(codes_have_places),
		cmocka_unit_test(structs_add_up),
		cmocka_unit_test(the_table_is_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
