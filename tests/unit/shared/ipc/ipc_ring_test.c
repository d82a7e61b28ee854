/* SPDX-License-Identifier: MIT */
/*
 * ipc.c and carrier.c with a ring: the end of either process, a link that is
 * given up, a full ring, and whatever the other process may write.
 */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "shared/base/base.h"
#include "tests/unit/shared/ipc/ipc_two.h"

static void
the_last_words_of_the_dead_count(void **state)
{
	struct two t;

	(void)state;
	for (int drained = 0; drained < 2; drained++) {
		two_with_ring(&t);
		ping(&t.b, 1);
		ping(&t.b, 2);
		ipc_flush(&t.b.l);
		carrier_let_go(&t.b.l.carrier);
		ipc_close(&t.b.l); /* as when the process is killed */
		if (drained)
			ipc_drain_input(&t.a.l);
		turns(&t, 3);
		expect_pings(&t.a, 2);
		assert_int_equal(t.a.ndead, 1);
		assert_string_equal(t.a.why, "closed by the other end");
		assert_true(t.a.l.ended);
		two_clear(&t);
	}
}

/* After it nothing counts as sent that nobody will read. */
static void
a_link_that_is_given_up_takes_nothing(void **state)
{
	struct two t;

	(void)state;
	two_with_ring(&t);
	ping(&t.a, 1);
	ipc_flush(&t.a.l);
	carrier_shut(&t.b.l.carrier);
	ipc_drain_input(&t.b.l);
	expect_pings(&t.b, 1);
	assert_int_equal(t.b.ndead, 1);
	ping(&t.a, 2);
	ipc_flush(&t.a.l);
	assert_int_equal(t.a.ndead, 1);
	assert_string_equal(t.a.why, "closed by the other end");
	expect_pings(&t.b, 1);
	two_clear(&t);
}

static void
on_input(void *owner)
{
	struct end *e = owner;

	ipc_read(&e->l);
	ipc_dispatch(&e->l);
}

/* As the broker has it: a closed ring ends the link, and drops nothing. */
static void
a_closed_ring_ends_a_link_that_is_read_in_turn(void **state)
{
	struct ipc_ops in_turn;
	struct two t;

	(void)state;
	two_with_ring(&t);
	in_turn = *t.a.l.ops;
	in_turn.on_input = on_input;
	t.a.l.ops = &in_turn;
	ping(&t.b, 1);
	ipc_flush(&t.b.l);
	memring_close(t.b.l.carrier.ring);
	ping(&t.a, 1);
	ipc_flush(&t.a.l);
	assert_int_equal(t.a.ndead, 0);
	ev_run(loop, EVRUN_NOWAIT);
	expect_pings(&t.a, 1);
	assert_int_equal(t.a.ndead, 1);
	two_clear(&t);
}

static void
more_than_a_ring_goes_through(void **state)
{
	enum { N = 3 * MEMRING_BYTES / 16 };
	struct two t;

	(void)state;
	two_with_ring(&t);
	ipc_pause(&t.b.l);
	for (unsigned i = 1; i <= N; i++)
		ping(&t.a, i);
	turns(&t, 3);
	assert_true(t.a.l.blocked);
	assert_int_equal(t.a.ndrained, 0);
	assert_int_equal(ipc_sent(&t.a.l), MEMRING_BYTES);
	assert_int_equal(t.b.ngot, 0);
	ipc_resume(&t.b.l);
	turns(&t, 30);
	expect_pings(&t.b, N);
	assert_false(t.a.l.blocked);
	assert_int_equal(t.a.ndrained, 1);
	two_clear(&t);
}

/* It is not read, so that only the write tells of the end. */
static void
a_full_ring_that_nobody_reads_ends_a_paused_link(void **state)
{
	struct two t;

	(void)state;
	two_with_ring(&t);
	ipc_pause(&t.a.l);
	ipc_pause(&t.b.l);
	for (unsigned i = 1; i <= MEMRING_BYTES / 8; i++)
		ping(&t.a, i);
	turns(&t, 1);
	assert_true(t.a.l.blocked);
	carrier_let_go(&t.b.l.carrier);
	ipc_close(&t.b.l); /* as when the process is killed */
	turns(&t, 2);
	assert_int_equal(t.a.ndead, 1);
	assert_string_equal(t.a.why, "write error");
	two_clear(&t);
}

/* Waiting without the loop, as in a replay. */
static void
room_can_be_waited_for(void **state)
{
	struct two t;

	(void)state;
	two_with_ring(&t);
	for (unsigned i = 1; i <= MEMRING_BYTES / 8; i++)
		ping(&t.a, i);
	ipc_flush(&t.a.l);
	assert_true(t.a.l.blocked);
	ipc_wait(&t.a.l, 1);
	assert_int_equal(ipc_sent(&t.a.l), MEMRING_BYTES);
	ipc_drain_input(&t.b.l);
	ipc_wait(&t.a.l, 10000);
	assert_int_equal(ipc_sent(&t.a.l), 2 * MEMRING_BYTES);
	two_clear(&t);
}

/* It stays awake while there is something to read, and no longer. */
static void
sleep_is_refused_while_there_are_bytes(void **state)
{
	struct two t;

	(void)state;
	two_with_ring(&t);
	assert_true(ipc_turn(&t.b.l, true));
	ping(&t.a, 1);
	ipc_flush(&t.a.l);
	turn(1); /* the bell has rung */
	expect_pings(&t.b, 1);
	ping(&t.a, 2);
	ipc_flush(&t.a.l); /* it has not said that it sleeps: no bell */
	turn(3);
	expect_pings(&t.b, 1);
	assert_false(ipc_turn(&t.b.l, true));
	turn(1);
	expect_pings(&t.b, 2);
	ping(&t.a, 3);
	ipc_flush(&t.a.l);
	assert_false(ipc_turn(&t.b.l, false)); /* it has other work, too */
	turn(1);
	expect_pings(&t.b, 3);
	assert_false(ipc_turn(&t.b.l, false));
	assert_true(ipc_turn(&t.b.l, true));
	two_clear(&t);
}

static void
nothing_comes_beside_the_ring(void **state)
{
	struct two t;

	(void)state;
	two_with_ring(&t);
	ping(&t.b, 1);
	ipc_flush(&t.b.l);
	assert_int_equal(send(t.b.l.carrier.fd, "x", 1, 0), 1);
	turns(&t, 3);
	expect_pings(&t.a, 1);
	assert_int_equal(t.a.ndead, 1);
	assert_string_equal(t.a.why, "read error");
	two_clear(&t);
}

/* Each word of the positions, with values that are wrong. */
static void
bad_positions_end_only_their_link(void **state)
{
	static const uint64_t values[] = { 1, MEMRING_BYTES + 1,
		UINT64_C(1) << 40, UINT64_MAX };
	struct two t;
	unsigned dead = 0;

	(void)state;
	for (size_t at = 0; at < 32; at++)
		for (size_t i = 0; i < nitems(values); i++) {
			uint64_t *words;

			two_with_ring(&t);
			words =
			    mmap(NULL, 256, PROT_READ | PROT_WRITE, MAP_SHARED,
				memring_fds(t.b.l.carrier.ring).memory, 0);
			assert_ptr_not_equal(words, MAP_FAILED);
			words[at] = values[i];
			ping(&t.a, 1);
			turns(&t, 4);
			assert_true(t.a.ndead <= 1 && t.b.ndead <= 1);
			dead += t.a.ndead + t.b.ndead;
			munmap(words, 256);
			two_clear(&t);
		}
	assert_true(dead > 8);
}

/* Its size is sealed, but each end can empty it: then all of it reads as 0. */
static void
memory_that_is_emptied_ends_only_its_link(void **state)
{
	struct two t;
	int memory;

	(void)state;
	for (unsigned sent = 0; sent < 3; sent++) {
		two_with_ring(&t);
		memory = memring_fds(t.b.l.carrier.ring).memory;
		for (unsigned i = 0; i < sent; i++)
			ping(&t.b, i + 1);
		ipc_flush(&t.b.l);
		if (sent == 2)
			turns(&t, 2);
		assert_int_equal(fallocate(memory,
				     FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				     0, lseek(memory, 0, SEEK_END)),
		    0);
		ping(&t.a, 1);
		ping(&t.b, sent + 1);
		turns(&t, 4);
		assert_true(t.a.ndead <= 1 && t.b.ndead <= 1);
		assert_int_equal(t.a.ndead + t.b.ndead > 0, sent > 0);
		expect_pings(&t.a, sent == 1 ? 0 : MAX(sent, 1));
		two_clear(&t);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_words_of_the_dead_count),
		cmocka_unit_test(a_link_that_is_given_up_takes_nothing),
		cmocka_unit_test(
		    a_closed_ring_ends_a_link_that_is_read_in_turn),
		cmocka_unit_test(more_than_a_ring_goes_through),
		cmocka_unit_test(
		    a_full_ring_that_nobody_reads_ends_a_paused_link),
		cmocka_unit_test(room_can_be_waited_for),
		cmocka_unit_test(sleep_is_refused_while_there_are_bytes),
		cmocka_unit_test(nothing_comes_beside_the_ring),
		cmocka_unit_test(bad_positions_end_only_their_link),
		cmocka_unit_test(memory_that_is_emptied_ends_only_its_link),
	};
	int failed;

	loop = ev_loop_new(EVFLAG_AUTO);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	ev_loop_destroy(loop);
	return failed;
}
