/* SPDX-License-Identifier: MIT */
/* session_pool.c: numbers lead to their sessions; memory is given back. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/base/base.h"
#include "worker/session/session_pool.h"

#define MANY (3 * SESSION_BLOCK)

static uint32_t numbers[MANY];

static void
add(struct session_pool *p, uint32_t i)
{
	struct open_session *o;

	numbers[i] = session_pool_add(p);
	assert_in_range(numbers[i], 1, SESSION_OPEN_MAX);
	o = session_pool_at(p, numbers[i]);
	assert_int_equal(o->sent, 0);
	assert_null(o->c);
	assert_true(list_is_empty(&o->asking));
	o->sent = i + 1;
}

static void
check(const struct session_pool *p, uint32_t from)
{
	for (uint32_t i = from; i < MANY; i++)
		assert_int_equal(session_pool_at(p, numbers[i])->sent, i + 1);
}

static void
places_are_used_again_and_blocks_are_freed(void **state)
{
	struct session_pool p = { .v = NULL };

	for (uint32_t i = 0; i < MANY; i++)
		add(&p, i);
	assert_int_equal(p.n, 3);
	check(&p, 0);
	/* The lowest block, and one place of the next. */
	for (uint32_t i = 0; i <= SESSION_BLOCK; i++)
		session_pool_remove(&p, numbers[i]);
	assert_null(p.v[0]);
	assert_non_null(p.v[1]);
	check(&p, SESSION_BLOCK + 1);
	for (uint32_t i = 0; i <= SESSION_BLOCK; i++)
		add(&p, i);
	assert_int_equal(p.n, 3);
	check(&p, 0);
	for (uint32_t i = MANY; i-- > 0;)
		session_pool_remove(&p, numbers[i]);
	for (uint32_t i = 0; i < p.n; i++)
		assert_null(p.v[i]);
	session_pool_clear(&p);
	assert_int_equal(session_pool_add(&p), 1);
	session_pool_clear(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(places_are_used_again_and_blocks_are_freed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
