/* SPDX-License-Identifier: MIT */
/* last_closes.c: whose records stay when there is no room. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/base/hash.h"
#include "shared/proc/last_closes.h"

static void
add(struct last_closes *l, uint32_t app, uint32_t from, uint32_t n)
{
	for (uint32_t i = from; i < from + n; i++)
		last_closes_add(l, app)->age_ms = i;
}

static uint32_t
count(const struct last_closes *l, uint32_t app)
{
	const struct stats_close *c = NULL;
	uint32_t n = 0;

	while ((c = last_closes_after(l, c)) != NULL)
		n += c->app == app;
	return n;
}

static void
the_newest_stay_in_order(void **state)
{
	struct last_closes l = { 0 };
	const struct stats_close *c = NULL;

	(void)state;
	assert_null(last_closes_after(&l, NULL));
	assert_null(last_closes_before(&l, NULL));
	add(&l, 1, 0, LAST_CLOSES_MAX + 10);
	assert_true(last_closes_is_full(&l));
	for (uint32_t i = 10; i < LAST_CLOSES_MAX + 10; i++) {
		c = last_closes_after(&l, c);
		assert_int_equal(c->age_ms, i);
	}
	assert_null(last_closes_after(&l, c));
	assert_int_equal(
	    last_closes_before(&l, c)->age_ms, LAST_CLOSES_MAX + 8);
	last_closes_empty(&l);
	assert_null(last_closes_before(&l, NULL));
	add(&l, 2, 7, 1);
	assert_int_equal(last_closes_before(&l, NULL)->age_ms, 7);
	last_closes_clear(&l);
}

static void
a_flood_pushes_out_its_own(void **state)
{
	struct last_closes l = { 0 };
	const struct stats_close *c;

	(void)state;
	add(&l, 2, 0, 5);
	add(&l, 1, 0, 3 * LAST_CLOSES_MAX);
	assert_int_equal(count(&l, 2), 5);
	assert_int_equal(count(&l, 1), LAST_CLOSES_MAX - 5);
	add(&l, 3, 0, 2 * LAST_CLOSES_MAX); /* both have half of the rest */
	assert_int_equal(count(&l, 2), 5);
	assert_in_range(
	    count(&l, 1), LAST_CLOSES_MAX / 2 - 4, LAST_CLOSES_MAX / 2);
	c = last_closes_before(&l, NULL);
	assert_int_equal(c->app, 3);
	assert_int_equal(c->age_ms, 2 * LAST_CLOSES_MAX - 1);
	last_closes_clear(&l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_newest_stay_in_order),
		cmocka_unit_test(a_flood_pushes_out_its_own),
	};

	hash_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
