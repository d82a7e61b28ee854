/* SPDX-License-Identifier: MIT */
/* When a child counts as stuck. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/master/watchdog.h"
#include "shared/base/base.h"

/* The events at each look, half a second apart unless said otherwise. */
struct look {
	uint64_t at_ms;
	uint64_t counter;
	int want;
};

static void
run(const struct look *v, size_t n)
{
	uint64_t counter = 0;
	struct watchdog w = { .counter = &counter };
	uint64_t at = 500;
	size_t i = 0;

	watchdog_begin(&w, 0);
	while (i < n) {
		int want = 0;

		if (v[i].at_ms == at) {
			counter = v[i].counter;
			want = v[i].want;
			i++;
		}
		assert_int_equal(
		    watchdog_look(&w, at, WATCHDOG_STALE_MS), want);
		at += WATCHDOG_LOOK_MS;
	}
}

static void
a_stuck_child_is_killed(void **state)
{
	static const struct look stuck[] = { { 500, 1, 0 },
		{ 5500, 1, SIGABRT }, { 6000, 1, 0 }, { 6500, 1, SIGKILL } };
	static const struct look late[] = { { 500, 1, 0 }, { 5000, 2, 0 },
		{ 9500, 3, 0 }, { 14500, 3, SIGABRT }, { 15000, 4, 0 } };

	(void)state;
	run(stuck, nitems(stuck));
	run(late, nitems(late));
}

static void
two_missed_beats_are_late(void **state)
{
	uint64_t counter = 1;
	struct watchdog w = { .counter = &counter };

	(void)state;
	watchdog_begin(&w, 0);
	assert_false(watchdog_is_late(&w, 499));
	assert_true(watchdog_is_late(&w, 500));
	counter = 2;
	assert_false(watchdog_is_late(&w, 500));
	assert_int_equal(watchdog_look(&w, 500, WATCHDOG_STALE_MS), 0);
	assert_false(watchdog_is_late(&w, 999));
	assert_true(watchdog_is_late(&w, 1000));
}

static void
a_master_that_slept_blames_nobody(void **state)
{
	uint64_t counter = 1;
	struct watchdog w = { .counter = &counter };

	(void)state;
	watchdog_begin(&w, 0);
	assert_int_equal(watchdog_look(&w, 500, WATCHDOG_STALE_MS), 0);
	assert_int_equal(watchdog_look(&w, 60500, WATCHDOG_STALE_MS), 0);
	assert_int_equal(watchdog_look(&w, 61000, WATCHDOG_STALE_MS), 0);
	for (uint64_t at = 61500; at < 65000; at += 500)
		assert_int_equal(watchdog_look(&w, at, WATCHDOG_STALE_MS), 0);
	assert_int_equal(watchdog_look(&w, 65000, WATCHDOG_STALE_MS), SIGABRT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stuck_child_is_killed),
		cmocka_unit_test(two_missed_beats_are_late),
		cmocka_unit_test(a_master_that_slept_blames_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
