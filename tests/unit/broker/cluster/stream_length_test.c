/* SPDX-License-Identifier: MIT */
/* stream_length_test.c: how many entries of the stream Redis shall keep. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "broker/cluster/stream_length.h"

#define OVERHEAD 100 /* that counts for each */
#define MAX 10000

static void
add(struct stream_length *l, uint64_t from, uint64_t to, uint32_t bytes)
{
	for (uint64_t n = from; n <= to; n++)
		stream_length_add(l, n, bytes - OVERHEAD, MAX);
}

static void
so_many_as_have_the_bytes(void **state)
{
	struct stream_length l = { 0 };

	(void)state;
	assert_string_equal(stream_length_text(&l), "50000");
	add(&l, 1, 10, 1000); /* what was before them may be little */
	assert_string_equal(stream_length_text(&l), "50000");
	add(&l, 11, 11, 1000);
	assert_string_equal(stream_length_text(&l), "10");
	add(&l, 12, 12, 9001);
	assert_string_equal(stream_length_text(&l), "1");
	add(&l, 13, 13, 50000); /* one is always kept */
	assert_string_equal(stream_length_text(&l), "1");
	add(&l, 14, 100, 110);
	assert_string_equal(stream_length_text(&l), "87");
	stream_length_clear(&l);
}

static void
after_a_gap_it_is_unknown(void **state)
{
	struct stream_length l = { 0 };

	(void)state;
	add(&l, 1, 11, 1000);
	add(&l, 13, 13, 1000);
	assert_string_equal(stream_length_text(&l), "50000");
	add(&l, 5, 14, 1000); /* the stream is read again */
	assert_string_equal(stream_length_text(&l), "50000");
	add(&l, 15, 15, 1000);
	assert_string_equal(stream_length_text(&l), "10");
	stream_length_clear(&l);
}

static void
never_more_than_there_may_be(void **state)
{
	struct stream_length l = { 0 };
	uint64_t n = 1;

	(void)state;
	stream_length_add(&l, n, 1, 1);
	stream_length_add(&l, ++n, 1, 1);
	assert_string_equal(stream_length_text(&l), "1");
	while (n < UINT64_C(3) * STREAM_ENTRIES)
		stream_length_add(&l, ++n, 1, UINT64_MAX);
	assert_string_equal(stream_length_text(&l), "50000");
	stream_length_add(&l, ++n, 1, 1);
	assert_string_equal(stream_length_text(&l), "1");
	stream_length_clear(&l);
}

/* A host that joins reads the states of up to 63 others. */
static void
states_leave_room_for_each_other(void **state)
{
	struct stream_length l = { 0 };

	(void)state;
	for (uint64_t n = 1; n <= 100; n++)
		stream_length_add(&l, n, UINT32_MAX, 33554432);
	assert_true(strtoul(stream_length_text(&l), NULL, 10) > 64);
	stream_length_clear(&l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(so_many_as_have_the_bytes),
		cmocka_unit_test(after_a_gap_it_is_unknown),
		cmocka_unit_test(never_more_than_there_may_be),
		cmocka_unit_test(states_leave_room_for_each_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
