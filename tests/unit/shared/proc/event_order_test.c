/* SPDX-License-Identifier: MIT */
/* event_order_test.c: the order of what a broker has taken, read by the next
 * one. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "shared/proc/event_order.h"

/* Asks for these messages of an origin, one after the other. */
static void
expect(const struct event_order *p, uint64_t origin, uint64_t from,
    const uint32_t *want, size_t n)
{
	uint32_t at = 0;
	size_t nruns;
	struct order_run *v = event_order_get(p, &nruns);

	for (size_t i = 0; i < n; i++)
		for (int twice = 0; twice < 2; twice++)
			assert_int_equal(
			    event_order_find(v, nruns, &at, origin, from + i),
			    want[i]);
	free(v);
}
#define EXPECT(p, origin, from, ...) \
	do { \
		static const uint32_t want_[] = { __VA_ARGS__ }; \
		expect(p, origin, from, want_, sizeof(want_) / 4); \
	} while (0)

static void
runs_are_found(void **state)
{
	struct event_order *p = event_order_map();

	(void)state;
	assert_non_null(p);
	EXPECT(p, 7, 1, ORDER_NONE, ORDER_NONE);
	for (uint64_t seq = 10; seq < 13; seq++)
		event_order_add(p, 7, seq);
	event_order_add(p, 8, 1);
	event_order_add(p, 7, 13);
	event_order_add(p, 7, 15); /* the numbers between them do not matter */
	EXPECT(p, 7, 9, ORDER_OLDER, 1, 1, 1, 3, ORDER_OLDER, 4, ORDER_NONE);
	EXPECT(p, 8, 1, 2, ORDER_NONE);
	EXPECT(p, 9, 1, ORDER_NONE);
}

static void
expect_place(const struct event_order *p, enum order_reach how, const char *id,
    uint64_t n)
{
	struct order_place place = event_order_place(p, how);

	assert_string_equal(place.id, id);
	assert_int_equal(place.n, n);
}

static void
places_of_the_stream_are_the_last_ones(void **state)
{
	struct event_order *p = event_order_map();
	struct order_place a = { "1-0", 1 }, b = { "2-0", 2 };

	(void)state;
	expect_place(NULL, ORDER_PASSED, "", 0);
	event_order_set_place(NULL, ORDER_PASSED, &a);
	expect_place(p, ORDER_APPLIED, "", 0);
	event_order_set_place(p, ORDER_APPLIED, &a);
	expect_place(p, ORDER_APPLIED, "1-0", 1);
	expect_place(p, ORDER_PASSED, "", 0);
	event_order_set_place(p, ORDER_APPLIED, &b);
	event_order_set_place(p, ORDER_PASSED, &a);
	expect_place(p, ORDER_APPLIED, "2-0", 2);
	expect_place(p, ORDER_PASSED, "1-0", 1);
}

/* A second broker has died while it took the same once more. */
static void
the_first_time_counts(void **state)
{
	struct event_order *p = event_order_map();

	(void)state;
	event_order_add(p, 7, 1);
	event_order_add(p, 8, 1);
	event_order_add(p, 7, 2);
	event_order_add(p, 7, 1);
	event_order_add(p, 8, 1);
	event_order_add(p, 8, 2);
	EXPECT(p, 7, 1, 1, 3, ORDER_NONE);
	EXPECT(p, 8, 1, 2, 5, ORDER_NONE);
}

static void
the_oldest_are_forgotten(void **state)
{
	struct event_order *p = event_order_map();
	struct order_run *v;
	uint32_t at = 0;
	size_t n;

	(void)state;
	for (uint64_t seq = 1; seq <= ORDER_MAX; seq++) {
		event_order_add(p, 1, seq);
		event_order_add(p, 2, seq);
	}
	v = event_order_get(p, &n);
	assert_int_equal(n, ORDER_MAX - 1);
	assert_int_equal(v[n - 1].origin, 2);
	assert_int_equal(v[n - 1].first, ORDER_MAX);
	assert_int_equal(event_order_find(v, n, &at, 1, 5), ORDER_OLDER);
	assert_int_equal(event_order_find(v, n, &at, 1, ORDER_MAX), n - 1);
	assert_int_equal(
	    event_order_find(v, n, &at, 1, ORDER_MAX + 1), ORDER_NONE);
	free(v);
}

static void
a_long_run_is_several(void **state)
{
	struct event_order *p = event_order_map();
	struct order_run *v;
	uint32_t at = 0;
	size_t n;

	(void)state;
	for (uint64_t seq = 1; seq <= 200000; seq++)
		event_order_add(p, 1, seq);
	v = event_order_get(p, &n);
	assert_int_equal(n, 4);
	for (uint64_t seq = 1; seq <= 200000; seq++)
		assert_int_equal(
		    event_order_find(v, n, &at, 1, seq), 1 + (seq - 1) / 65536);
	assert_int_equal(event_order_find(v, n, &at, 1, 200001), ORDER_NONE);
	free(v);
}

/* Any bytes there are only numbers. */
static void
nonsense_is_survived(void **state)
{
	struct event_order *p = event_order_map();
	struct order_run *v;
	uint32_t at = 0;
	size_t n;

	(void)state;
	memset((void *)p, 0xff, 4096);
	v = event_order_get(p, &n);
	assert_int_equal(n, ORDER_MAX - 1);
	event_order_find(v, n, &at, UINT64_MAX, 1);
	free(v);
	event_order_add(p, 1, 1);
	event_order_add(p, 1, UINT64_MAX);
	free(event_order_get(p, &n));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runs_are_found),
		cmocka_unit_test(places_of_the_stream_are_the_last_ones),
		cmocka_unit_test(the_first_time_counts),
		cmocka_unit_test(the_oldest_are_forgotten),
		cmocka_unit_test(a_long_run_is_several),
		cmocka_unit_test(nonsense_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
