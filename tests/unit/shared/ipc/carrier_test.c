/* SPDX-License-Identifier: MIT */
/*
 * carrier.c: a ring that is offered, taken, refused or handed on, and the order
 * of the bytes that went by the socket and by the ring.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "shared/ipc/fdpass.h"
#include "tests/unit/shared/ipc/ipc_two.h"

static void
the_bytes_of_the_socket_come_first(void **state)
{
	struct two t;

	(void)state;
	two_open(&t);
	ping(&t.b, 1);
	ping(&t.b, 2);
	ipc_flush(&t.b.l); /* by the socket, and nobody reads it yet */
	carrier_offer(&t.a.l.carrier);
	ping(&t.a, 1);
	ipc_flush(&t.a.l);
	ipc_drain_input(&t.b.l); /* takes the offer */
	expect_pings(&t.b, 1);
	ping(&t.b, 3);
	ipc_flush(&t.b.l); /* by the ring */
	assert_int_equal(t.b.l.carrier.nsent, 2 * msg_ping_size(NULL));
	turns(&t, 3);
	expect_pings(&t.a, 3);
	for (unsigned i = 4; i < 3000; i++) {
		ping(&t.a, i - 2);
		ping(&t.b, i);
		turns(&t, i % 3);
	}
	turns(&t, 3);
	expect_pings(&t.a, 2999);
	expect_pings(&t.b, 2997);
	assert_int_equal(t.b.l.carrier.nsent, 2 * msg_ping_size(NULL));
	two_clear(&t);
}

/* One snapshot: the rest of the socket, and all that is in the ring. */
static void
one_read_takes_both(void **state)
{
	struct two t;
	uint64_t all;

	(void)state;
	two_open(&t);
	for (unsigned i = 1; i <= 100; i++)
		ping(&t.b, i);
	ipc_flush(&t.b.l);
	carrier_offer(&t.a.l.carrier);
	ipc_drain_input(&t.b.l);
	for (unsigned i = 101; i <= 10000; i++)
		ping(&t.b, i);
	ipc_flush(&t.b.l);
	all = ipc_sent(&t.b.l);
	ipc_read(&t.a.l);
	assert_int_equal(t.a.l.nread, all);
	ipc_dispatch(&t.a.l);
	expect_pings(&t.a, 10000);
	two_clear(&t);
}

/* As when the process is killed: without a word to the other end. */
static void
die(struct end *e)
{
	carrier_let_go(&e->l.carrier);
	ipc_close(&e->l);
}

/* The other end had just begun with the ring, and was not read meanwhile. */
static void
the_first_words_of_the_dead_in_a_ring_count(void **state)
{
	struct two t;

	(void)state;
	for (unsigned read = 0; read < 2; read++) {
		two_open(&t);
		carrier_offer(&t.a.l.carrier);
		ping(&t.b, 1);
		ipc_flush(&t.b.l); /* by the socket */
		if (read > 0)
			ipc_drain_input(&t.a.l);
		ipc_pause(&t.a.l);
		ipc_drain_input(&t.b.l);
		ping(&t.b, 2);
		ipc_flush(&t.b.l); /* by the ring */
		die(&t.b);
		turn(2);
		expect_pings(&t.a, read);
		ipc_resume(&t.a.l);
		turns(&t, 3);
		expect_pings(&t.a, 2);
		assert_int_equal(t.a.ndead, 1);
		assert_string_equal(t.a.why, "closed by the other end");
		two_clear(&t);
	}
}

/* Another process takes the second end before the first one uses the ring. */
static void
a_ring_that_is_not_used_yet_goes_on_elsewhere(void **state)
{
	struct memring_fds fds;
	struct memring *r;
	struct two t;
	uint64_t nread;
	int fd;

	(void)state;
	two_open(&t);
	carrier_offer(&t.a.l.carrier);
	ping(&t.a, 1);
	ipc_flush(&t.a.l); /* by the socket: nobody has taken it */
	ping(&t.b, 1);
	ipc_drain_input(&t.b.l);
	expect_pings(&t.b, 1);
	fds = memring_fds(t.b.l.carrier.ring);
	fds = (struct memring_fds){ dup(fds.memory), dup(fds.bell),
		dup(fds.other) };
	fd = dup(t.b.l.carrier.fd);
	nread = t.b.l.carrier.nread;
	ipc_flush(&t.b.l);
	carrier_let_go(&t.b.l.carrier);
	end_clear(&t.b);
	r = memring_open(&fds);
	assert_non_null(r);
	end_init(&t.b, fd, -1);
	carrier_adopt(&t.b.l.carrier, r, nread);
	for (unsigned i = 1; i <= 3; i++) {
		ping(&t.a, i);
		ping(&t.b, i + 1);
		turns(&t, 2);
	}
	expect_pings(&t.a, 4);
	expect_pings(&t.b, 3);
	assert_int_equal(t.a.l.carrier.nsent, msg_ping_size(NULL));
	two_clear(&t);
}

/* An offer without its descriptors, or with others. */
static void
a_bad_offer_ends_the_link(void **state)
{
	struct two t;
	int fds[2];

	(void)state;
	for (size_t n = 1; n <= 3; n++) {
		int all[3] = { 0, 0, 0 };

		two_open(&t);
		assert_int_equal(
		    fdpass_send(t.a.l.carrier.fd, "", 1, all, n), 0);
		turns(&t, 2);
		assert_int_equal(t.b.ndead, 1);
		assert_string_equal(t.b.why, "read error");
		two_clear(&t);
	}
	two_open(&t); /* and none is fine */
	ping(&t.a, 1);
	turns(&t, 2);
	expect_pings(&t.b, 1);
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(fdpass_send(t.a.l.carrier.fd, "xx", 2, fds, 2), 0);
	ping(&t.b, 1);
	turns(&t, 2); /* too late: they are bytes like others */
	expect_pings(&t.a, 1);
	close(fds[0]);
	close(fds[1]);
	two_clear(&t);
}

/* The ring takes three descriptors: without room all goes by the socket. */
static void
an_offer_whose_descriptors_are_lost_is_none(void **state)
{
	struct rlimit before, few;
	struct two t;
	int next[3], fd;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	for (unsigned room = 0; room <= 3; room++) {
		two_open(&t);
		carrier_offer(&t.a.l.carrier);
		for (int i = 0; i < 3; i++)
			next[i] = dup(STDERR_FILENO);
		for (int i = 0; i < 3; i++)
			close(next[i]);
		few = before;
		few.rlim_cur =
		    (rlim_t)(room == 0 ? next[0] : next[room - 1] + 1);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
		ping(&t.a, 1);
		turns(&t, 2);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
		assert_int_equal(t.b.l.carrier.ring != NULL, room == 3);
		expect_pings(&t.b, 1);
		ping(&t.b, 1);
		turns(&t, 2);
		expect_pings(&t.a, 1);
		assert_int_equal(t.a.l.carrier.ring != NULL, room == 3);
		assert_int_equal(t.a.ndead + t.b.ndead, 0);
		fd = dup(STDERR_FILENO); /* none is left open */
		assert_int_equal(fd == next[0], room < 3);
		close(fd);
		two_clear(&t);
	}
}

static void
without_a_ring_the_socket_does(void **state)
{
	struct rlimit before, few;
	struct two t;
	int next;

	(void)state;
	two_open(&t);
	next = dup(STDERR_FILENO);
	close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = before;
	few.rlim_cur = (rlim_t)next;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	carrier_offer(&t.a.l.carrier); /* of descriptors that there are not */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_null(t.a.l.carrier.ring);
	ping(&t.a, 1);
	ping(&t.b, 1);
	turns(&t, 2);
	expect_pings(&t.a, 1);
	expect_pings(&t.b, 1);
	next = t.b.l.carrier.fd;
	ipc_close(&t.b.l);
	carrier_offer(&t.a.l.carrier); /* to nobody */
	assert_null(t.a.l.carrier.ring);
	assert_int_equal(dup(STDERR_FILENO), next); /* nothing else is open */
	close(next);
	two_clear(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_ring_the_socket_does),
		cmocka_unit_test(the_bytes_of_the_socket_come_first),
		cmocka_unit_test(one_read_takes_both),
		cmocka_unit_test(the_first_words_of_the_dead_in_a_ring_count),
		cmocka_unit_test(a_ring_that_is_not_used_yet_goes_on_elsewhere),
		cmocka_unit_test(a_bad_offer_ends_the_link),
		cmocka_unit_test(an_offer_whose_descriptors_are_lost_is_none),
	};
	int failed;

	loop = ev_loop_new(EVFLAG_AUTO);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	ev_loop_destroy(loop);
	return failed;
}
