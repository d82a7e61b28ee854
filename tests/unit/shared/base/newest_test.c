/* SPDX-License-Identifier: MIT */
/* newest_test.c: a number counts once for each origin. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/base/newest.h"

static void
each_number_is_new_once(void **state)
{
	struct newest n = { 0 };

	(void)state;
	assert_true(newest_raise(&n, 1, 5));
	assert_false(newest_raise(&n, 1, 5));
	assert_false(newest_raise(&n, 1, 4));
	assert_true(newest_raise(&n, 2, 5));
	assert_true(newest_raise(&n, 1, 6));
}

static void
a_new_origin_takes_the_place_of_the_oldest(void **state)
{
	struct newest n = { 0 };

	(void)state;
	for (uint64_t origin = 1; origin <= NEWEST_ORIGINS + 1; origin++)
		assert_true(newest_raise(&n, origin, 1));
	assert_false(newest_raise(&n, 2, 1));
	assert_true(newest_raise(&n, 1, 1));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_number_is_new_once),
		cmocka_unit_test(a_new_origin_takes_the_place_of_the_oldest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
