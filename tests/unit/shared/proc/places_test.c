/* SPDX-License-Identifier: MIT */
/* places_test.c: the order of what a broker has taken, read by the next one. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "shared/proc/places.h"

/* Asks for these messages of an origin, one after the other. */
static void
expect(const struct places *p, uint64_t origin, uint64_t from,
    const uint32_t *want, size_t n)
{
	uint32_t at = 0;
	size_t nruns;
	struct places_run *v = places_get(p, &nruns);

	for (size_t i = 0; i < n; i++)
		for (int twice = 0; twice < 2; twice++)
			assert_int_equal(
			    places_find(v, nruns, &at, origin, from + i),
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
	struct places *p = places_map();

	(void)state;
	assert_non_null(p);
	EXPECT(p, 7, 1, PLACES_NONE, PLACES_NONE);
	for (uint64_t seq = 10; seq < 13; seq++)
		places_add(p, 7, seq);
	places_add(p, 8, 1);
	places_add(p, 7, 13);
	places_add(p, 7, 15); /* whatever may be between them */
	EXPECT(
	    p, 7, 9, PLACES_BEFORE, 1, 1, 1, 3, PLACES_BEFORE, 4, PLACES_NONE);
	EXPECT(p, 8, 1, 2, PLACES_NONE);
	EXPECT(p, 9, 1, PLACES_NONE);
}

/* A second broker has died while it took the same once more. */
static void
the_first_time_counts(void **state)
{
	struct places *p = places_map();

	(void)state;
	places_add(p, 7, 1);
	places_add(p, 8, 1);
	places_add(p, 7, 2);
	places_add(p, 7, 1);
	places_add(p, 8, 1);
	places_add(p, 8, 2);
	EXPECT(p, 7, 1, 1, 3, PLACES_NONE);
	EXPECT(p, 8, 1, 2, 5, PLACES_NONE);
}

static void
the_oldest_are_forgotten(void **state)
{
	struct places *p = places_map();
	struct places_run *v;
	uint32_t at = 0;
	size_t n;

	(void)state;
	for (uint64_t seq = 1; seq <= PLACES_MAX; seq++) {
		places_add(p, 1, seq);
		places_add(p, 2, seq);
	}
	v = places_get(p, &n);
	assert_int_equal(n, PLACES_MAX - 1);
	assert_int_equal(v[n - 1].origin, 2);
	assert_int_equal(v[n - 1].first, PLACES_MAX);
	assert_int_equal(places_find(v, n, &at, 1, 5), PLACES_BEFORE);
	assert_int_equal(places_find(v, n, &at, 1, PLACES_MAX), n - 1);
	assert_int_equal(
	    places_find(v, n, &at, 1, PLACES_MAX + 1), PLACES_NONE);
	free(v);
}

static void
a_long_run_is_several(void **state)
{
	struct places *p = places_map();
	struct places_run *v;
	uint32_t at = 0;
	size_t n;

	(void)state;
	for (uint64_t seq = 1; seq <= 200000; seq++)
		places_add(p, 1, seq);
	v = places_get(p, &n);
	assert_int_equal(n, 4);
	for (uint64_t seq = 1; seq <= 200000; seq++)
		assert_int_equal(
		    places_find(v, n, &at, 1, seq), 1 + (seq - 1) / 65536);
	assert_int_equal(places_find(v, n, &at, 1, 200001), PLACES_NONE);
	free(v);
}

/* Whatever stands there, it is only numbers. */
static void
nonsense_is_survived(void **state)
{
	struct places *p = places_map();
	struct places_run *v;
	uint32_t at = 0;
	size_t n;

	(void)state;
	memset((void *)p, 0xff, 4096);
	v = places_get(p, &n);
	assert_int_equal(n, PLACES_MAX - 1);
	places_find(v, n, &at, UINT64_MAX, 1);
	free(v);
	places_add(p, 1, 1);
	places_add(p, 1, UINT64_MAX);
	free(places_get(p, &n));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runs_are_found),
		cmocka_unit_test(the_first_time_counts),
		cmocka_unit_test(the_oldest_are_forgotten),
		cmocka_unit_test(a_long_run_is_several),
		cmocka_unit_test(nonsense_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
