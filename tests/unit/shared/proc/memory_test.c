/* SPDX-License-Identifier: MIT */
/*
 * memory_test.c: how many workers a limit of memory has room for, and the least
 * one.
 */

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/base/base.h"
#include "shared/proc/memory.h"

#define MIB(n) (UINT64_C(n) << 20)

static void
as_many_workers_as_have_room(void **state)
{
	(void)state;
	static const struct {
		uint64_t limit, available;
		unsigned workers;
	} table[] = {
		{ 0, 0, UINT_MAX }, /* nothing is known */
		{ 1, 0, 1 },
		{ MIB(64), 0, 2 },
		{ MIB(64), MIB(65536), 2 },
		{ 0, MIB(128), 3 }, /* three quarters of it */
		{ 0, MIB(256), 6 },
		{ MIB(256), 0, 8 },
		{ 0, MIB(4096), 96 },
		{ UINT64_C(1) << 50, 0, 33554432 },
		{ UINT64_MAX, 0, UINT_MAX },
	};

	for (size_t i = 0; i < nitems(table); i++)
		assert_int_equal(
		    memory_workers(table[i].limit, table[i].available),
		    table[i].workers);
}

static void
a_worker_of_the_least_limit_has_five_mib(void **state)
{
	(void)state;
	for (unsigned n = 1; n <= 64; n++) {
		uint64_t least = memory_least(n);

		assert_true(
		    memory_share(least, 0, MEMORY_WORKERS) / n >= MIB(5));
		assert_true(
		    memory_share(least - 16, 0, MEMORY_WORKERS) / n < MIB(5));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_many_workers_as_have_room),
		cmocka_unit_test(a_worker_of_the_least_limit_has_five_mib),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
