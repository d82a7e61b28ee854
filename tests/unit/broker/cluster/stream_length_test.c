/* SPDX-License-Identifier: MIT */
/* stream_length_test.c: how many entries of the stream Redis shall keep. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "broker/cluster/stream_length.h"

#define MAX 1000

static void
add(struct stream_length *l, uint64_t from, uint64_t to, uint32_t bytes)
{
	for (uint64_t n = from; n <= to; n++)
		stream_length_add(l, n, bytes, MAX);
}

static void
so_many_as_have_the_bytes(void **state)
{
	struct stream_length l = { 0 };

	(void)state;
	assert_string_equal(stream_length_text(&l), "50000");
	add(&l, 1, 10, 100); /* what was before them may be little */
	assert_string_equal(stream_length_text(&l), "50000");
	add(&l, 11, 11, 100);
	assert_string_equal(stream_length_text(&l), "10");
	add(&l, 12, 12, 901);
	assert_string_equal(stream_length_text(&l), "1");
	add(&l, 13, 13, 5000); /* one is always kept */
	assert_string_equal(stream_length_text(&l), "1");
	add(&l, 14, 100, 10);
	assert_string_equal(stream_length_text(&l), "87");
	stream_length_clear(&l);
}

static void
after_a_gap_it_is_unknown(void **state)
{
	struct stream_length l = { 0 };

	(void)state;
	add(&l, 1, 11, 100);
	add(&l, 13, 13, 100);
	assert_string_equal(stream_length_text(&l), "50000");
	add(&l, 5, 14, 100); /* the stream is read again */
	assert_string_equal(stream_length_text(&l), "50000");
	add(&l, 15, 15, 1);
	assert_string_equal(stream_length_text(&l), "10");
	stream_length_clear(&l);
}

static void
never_more_than_there_may_be(void **state)
{
	struct stream_length l = { 0 };

	(void)state;
	add(&l, 1, 1, MAX + 1);
	add(&l, 2, 3 * STREAM_ENTRIES, 0);
	assert_string_equal(stream_length_text(&l), "50000");
	add(&l, 3 * STREAM_ENTRIES + 1, 3 * STREAM_ENTRIES + 2, MAX);
	assert_string_equal(stream_length_text(&l), "1");
	stream_length_clear(&l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(so_many_as_have_the_bytes),
		cmocka_unit_test(after_a_gap_it_is_unknown),
		cmocka_unit_test(never_more_than_there_may_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
