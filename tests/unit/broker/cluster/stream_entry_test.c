/* SPDX-License-Identifier: MIT */
/* stream_entry_test.c: events that stand in the stream a second time. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "broker/cluster/stream_entry.h"

static void
an_event_that_redis_has_seen_is_not_new(void **state)
{
	struct newest n = { 0 };

	(void)state;
	stream_entry_again("", &n);
	stream_entry_again("ffeeddccbbaa9988 7 a 3 ", &n);
	assert_false(newest_raise(&n, 0xffeeddccbbaa9988, 7));
	assert_true(newest_raise(&n, 0xffeeddccbbaa9988, 8));
	assert_false(newest_raise(&n, 10, 3));
	stream_entry_again("a 2 ", &n); /* an older one changes nothing */
	assert_false(newest_raise(&n, 10, 3));
}

/* Anyone who reaches Redis may have written it. */
static void
the_rest_of_a_damaged_text_is_ignored(void **state)
{
	static const char *const texts[] = { "a", "a ", "a x", "a 0 b 9", "0 9",
		"x", " ", "-", "a -", "\xff 1", "b 0" };
	struct newest n = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		stream_entry_again(texts[i], &n);
	stream_entry_again("c 4 ! d 9", &n);
	assert_true(newest_raise(&n, 10, 1));
	assert_true(newest_raise(&n, 11, 1));
	assert_false(newest_raise(&n, 12, 4));
	assert_true(newest_raise(&n, 13, 9));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_event_that_redis_has_seen_is_not_new),
		cmocka_unit_test(the_rest_of_a_damaged_text_is_ignored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
