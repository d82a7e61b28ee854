/* SPDX-License-Identifier: MIT */
/* alone.c: which worker is told that it is alone, and for how long. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "broker/link/alone.h"
#include "tests/unit/broker/links.h"

/* The next of ALONE, PING and APP_SET; the rest is not looked at. */
static struct said
next(struct links *l, unsigned slot)
{
	struct said s;

	while (links_next_any(l, slot, &s))
		if (s.type == IPC_ALONE || s.type == IPC_PING ||
		    s.type == IPC_APP_SET)
			return s;
	return (struct said){ 0 };
}

static void
expect_word(struct links *l, unsigned slot, unsigned alone)
{
	struct said s = next(l, slot);
	struct msg_alone m;

	assert_int_equal(s.type, IPC_ALONE);
	assert_int_equal(msg_alone_get(&m, s.body), 0);
	assert_int_equal(m.alone, alone);
}

static uint64_t
expect_ping(struct links *l, unsigned slot)
{
	struct said s = next(l, slot);
	struct msg_ping m;

	assert_int_equal(s.type, IPC_PING);
	assert_int_equal(msg_ping_get(&m, s.body), 0);
	return m.id;
}

static void
expect_silence(struct links *l, unsigned slot)
{
	assert_int_equal(next(l, slot).type, 0);
}

/* Another worker says HELLO, and no more. */
static void
come(struct links *l, unsigned slot)
{
	links_come(l, slot, 90 + slot);
	links_turn(l);
}

/* Only the worker in slot 0 is there. */
static struct links *
lone_new(void)
{
	struct links *l = links_new(NULL);

	for (unsigned i = 1; i < LINKS; i++)
		links_kill(l, i);
	links_turn(l);
	l->conf.nworkers = 1;
	links_done(l, 0, 0);
	links_turn(l);
	return l;
}

static struct links *
lone_told(void)
{
	struct links *l = lone_new();

	alone_give(&l->br);
	expect_word(l, 0, 1);
	return l;
}

static void
a_lone_worker_is_told_once(void **state)
{
	struct links *l = lone_told();

	alone_give(&l->br);
	expect_silence(l, 0);
	links_free(l);
}

static void
one_of_several_is_not_told(void **state)
{
	struct links *l = links_new(NULL);

	l->conf.nworkers = 1; /* the others leave */
	for (unsigned i = 0; i < LINKS; i++)
		links_done(l, i, 0);
	links_turn(l);
	for (unsigned i = 1; i < LINKS; i++) {
		alone_give(&l->br);
		expect_silence(l, 0);
		links_kill(l, i);
	}
	links_turn(l);
	alone_give(&l->br);
	expect_word(l, 0, 1);
	links_free(l);
}

static void
one_of_two_that_are_wanted_is_not_told(void **state)
{
	struct links *l = lone_new();

	l->conf.nworkers = 2;
	alone_give(&l->br);
	expect_silence(l, 0);
	links_free(l);
}

static void
one_that_has_not_replayed_is_not_told(void **state)
{
	struct links *l = lone_new();

	links_kill(l, 0);
	links_turn(l);
	links_hello(l, 0, 50);
	alone_give(&l->br);
	expect_silence(l, 0);
	links_done(l, 0, 0);
	links_turn(l);
	alone_give(&l->br);
	expect_word(l, 0, 1);
	links_free(l);
}

static void
a_link_that_has_not_said_hello_may_be_another_worker(void **state)
{
	struct links *l = lone_new();
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(sock_set_nonblock(fds[0]), 0);
	peer_accept(&l->br, fds[0]);
	alone_give(&l->br);
	expect_silence(l, 0);
	close(fds[1]);
	links_turn(l);
	alone_give(&l->br);
	expect_word(l, 0, 1);
	links_free(l);
}

static void
another_worker_waits_until_the_word_is_back(void **state)
{
	struct links *l = lone_told();
	struct msg_event m;
	uint64_t earlier, ping, slots;

	links_sub(l, 0, 1, "private-a", "");
	peer_ping(&l->br, &slots);
	earlier = expect_ping(l, 0);
	come(l, 1);
	expect_word(l, 0, 0);
	ping = expect_ping(l, 0);
	expect_silence(l, 1);
	assert_null(l->br.peers[1]);
	SEND(l, 0, pong, .id = earlier);
	expect_silence(l, 1);
	/* One more that was delivered stands before the PONG. */
	SEND(l, 0, event, .origin = l->origin[0], .seq = ++l->seq[0], .app = 1,
	    .flags = EVENT_CLIENT | EVENT_DELIVERED, .channel = S("private-a"),
	    .frame = S("delivered"));
	SEND(l, 0, pong, .id = ping);
	assert_int_equal(next(l, 1).type, IPC_APP_SET);
	assert_non_null(l->br.peers[1]);
	assert_int_equal(l->br.nevents, 1);
	alone_give(&l->br);
	links_event(l, 0, "private-a", S("next"), 0);
	EXPECT(l, 0, event, EVENT, &m);
	assert_bytes(m.frame, S("next"));
	links_free(l);
}

static void
two_that_come_wait_for_one_answer(void **state)
{
	struct links *l = lone_told();
	uint64_t ping;

	come(l, 1);
	come(l, 2);
	expect_word(l, 0, 0);
	ping = expect_ping(l, 0);
	expect_silence(l, 0);
	expect_silence(l, 1);
	expect_silence(l, 2);
	SEND(l, 0, pong, .id = ping);
	assert_int_equal(next(l, 1).type, IPC_APP_SET);
	assert_int_equal(next(l, 2).type, IPC_APP_SET);
	links_free(l);
}

static void
the_word_ends_with_the_link(void **state)
{
	struct links *l = lone_told();

	come(l, 1);
	expect_word(l, 0, 0);
	expect_silence(l, 1);
	links_kill(l, 0);
	assert_int_equal(next(l, 1).type, IPC_APP_SET);
	links_done(l, 1, 0);
	links_turn(l);
	alone_give(&l->br);
	expect_word(l, 1, 1);
	links_free(l);
}

/* The new process does not know what the old one was told. */
static void
another_process_on_the_link_is_told(void **state)
{
	struct links *l = lone_told();
	uint64_t ping;

	SEND(l, 0, hello, .version = IPC_VERSION,
	    .build = str_of(proc_build_id()), .slot = 0, .pid = 2,
	    .origin = l->origin[0]);
	expect_word(l, 0, 1);
	come(l, 1);
	expect_word(l, 0, 0);
	ping = expect_ping(l, 0);
	SEND(l, 0, hello, .version = IPC_VERSION,
	    .build = str_of(proc_build_id()), .slot = 0, .pid = 3,
	    .origin = l->origin[0]);
	expect_silence(l, 0);
	expect_silence(l, 1);
	SEND(l, 0, pong, .id = ping);
	assert_int_equal(next(l, 1).type, IPC_APP_SET);
	links_free(l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_lone_worker_is_told_once),
		cmocka_unit_test(one_of_several_is_not_told),
		cmocka_unit_test(one_of_two_that_are_wanted_is_not_told),
		cmocka_unit_test(one_that_has_not_replayed_is_not_told),
		cmocka_unit_test(
		    a_link_that_has_not_said_hello_may_be_another_worker),
		cmocka_unit_test(another_worker_waits_until_the_word_is_back),
		cmocka_unit_test(two_that_come_wait_for_one_answer),
		cmocka_unit_test(the_word_ends_with_the_link),
		cmocka_unit_test(another_process_on_the_link_is_told),
	};

	hash_seed();
	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
