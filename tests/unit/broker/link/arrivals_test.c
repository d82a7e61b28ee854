/* SPDX-License-Identifier: MIT */
/* arrivals_test.c: one order of the messages of several workers. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>

#include "shared/base/clock.h"
#include "tests/unit/broker/links.h"

static struct links *
begin(void)
{
	struct links *l = links_new(NULL);

	links_sub(l, 3, 1, "x", "");
	return l;
}

/* Not read before the next turn; us 0: without a place of its own. */
static void
published(struct links *l, unsigned slot, uint64_t seq, uint64_t us,
    const char *frame)
{
	if (us != 0)
		SEND(l, slot, place, .us = us);
	SEND(l, slot, event, .origin = slot + 1, .seq = seq, .app = 1,
	    .channel = S("x"), .frame = str_of(frame));
}

static void
messages_are_handled_by_place(void **state)
{
	struct links *l = begin();

	(void)state;
	published(l, 2, 1, 30, "c");
	published(l, 2, 2, 0, "d"); /* in the same flush */
	published(l, 2, 3, 60, "g");
	published(l, 1, 1, 40, "e");
	published(l, 1, 2, 50, "f");
	published(l, 0, 1, 10, "a");
	published(l, 0, 2, 20, "b");
	published(l, 0, 3, 70, "h");
	expect_events(l, "abcdefgh");
	links_free(l);
}

/* Its link is closed, and it has been replaced; then comes what followed. */
static void
a_dead_workers_last_event_comes_first(void **state)
{
	struct links *l = begin();

	(void)state;
	published(l, 0, 1, 20, "b");
	published(l, 1, 1, 10, "a");
	close(l->fd[1]);
	links_hello(l, 1, 77);
	expect_events(l, "ab");
	links_free(l);
}

static void
an_event_with_a_later_place_waits(void **state)
{
	struct links *l = begin();
	uint64_t soon = clock_us(CLOCK_MONOTONIC);

	(void)state;
	published(l, 0, 1, soon, "b");
	published(l, 1, 1, soon - 1, "a");
	expect_events(l, "ab");
	links_free(l);
}

/* Only the liar loses its link. */
static void
a_place_in_the_future_ends_the_link(void **state)
{
	struct links *l = begin();

	(void)state;
	published(l, 0, 1, UINT64_MAX, "a");
	published(l, 1, 1, 10, "b");
	expect_events(l, "b");
	assert_true(links_is_over(l, 0));
	assert_false(links_is_over(l, 1));
	links_free(l);
}

static void
on_question(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct broker *br = w->data;

	br->nevents += 100;
	ev_timer_stop(loop, w);
}

/* The worker has not woken the broker for the event; something else has. */
static void
what_is_in_memory_comes_before_questions(void **state)
{
	struct links *l = begin();
	struct msg_event m = { .origin = 1,
		.seq = 1,
		.app = 1,
		.channel = S("x"),
		.frame = S("a") };
	struct memring_fds fds;
	struct memring *theirs = memring_new(&fds);
	struct outq q;
	ev_timer asks;
	char bytes[200];

	(void)state;
	assert_non_null(theirs);
	links_turn(l);
	memring_begin(theirs, 0);
	carrier_adopt(&l->br.peers[0]->ipc.carrier, memring_open(&fds), 0);
	links_turn(l); /* it sleeps now */
	msg_event_put(bytes, &m);
	outq_init(&q);
	outq_push_copy(&q, str_make(bytes, msg_event_size(&m)));
	assert_int_equal(memring_send(theirs, &q, true), 1);
	ev_timer_init(&asks, on_question, 0., 0.);
	asks.data = &l->br;
	ev_timer_start(l->br.loop, &asks);
	l->br.nevents = 0;
	while (l->br.nevents < 100)
		ev_run(l->br.loop, EVRUN_ONCE);
	assert_int_equal(l->br.nevents, 101);
	expect_events(l, "a");
	outq_clear(&q);
	links_free(l);
	memring_free(theirs);
}

/* No link is read while one worker has too much to read. */
static void
held_links_keep_the_order(void **state)
{
	struct links *l = begin();

	(void)state;
	l->br.links->congested = true;
	published(l, 0, 1, 20, "b");
	published(l, 1, 1, 10, "a");
	ev_run(l->br.loop, EVRUN_NOWAIT);
	assert_true(l->br.peers[1]->answers.stopped);
	published(l, 2, 1, 30, "c");
	expect_events(l, "abc");
	links_free(l);
}

/*
 * A worker dies while its link is held, and the next one of its slot is there
 * before it is read; written: the broker has found out that nobody reads it.
 */
static void
a_held_link_of_the_dead_is_read(void **state)
{
	(void)state;
	for (int written = 0; written < 2; written++) {
		struct links *l = begin();
		uint64_t slots;

		l->br.links->congested = true;
		published(l, 0, 1, 10, "a");
		ev_run(l->br.loop, EVRUN_NOWAIT);
		assert_true(l->br.peers[0]->answers.stopped);
		close(l->fd[0]);
		links_come(l, 0, 77);
		if (written)
			peer_ping(&l->br, &slots);
		links_turn(l);
		links_turn(l);
		expect_events(l, "a");
		assert_int_equal(l->br.peers[0]->origin, 77);
		links_free(l);
	}
}

/* Its later messages wait in the kernel, whatever comes. */
static void
a_link_with_later_messages_is_not_read(void **state)
{
	struct links *l = begin();
	char *frame = xcalloc(1, 10000);
	uint64_t seq = 0, us = 30;
	uint32_t held = 0;

	(void)state;
	memset(frame, 'c', 9999);
	l->br.links->congested = true;
	published(l, 0, 1, 10, "a");
	ev_run(l->br.loop, EVRUN_NOWAIT);
	for (int i = 0; i < 100; i++) {
		struct ipc *in = &l->br.peers[1]->ipc;
		struct pollfd room = { .fd = l->fd[1], .events = POLLOUT };

		while (seq < 1000 && poll(&room, 1, 0) == 1)
			published(l, 1, ++seq, us++, frame);
		ev_run(l->br.loop, EVRUN_NOWAIT);
		held = in->in->len - in->in_off;
	}
	assert_true(held < 1 << 20);
	assert_true(seq < 1000);
	expect_event(l, S("a"));
	while (seq-- > 0)
		expect_event(l, str_of(frame));
	expect_nothing(l, 3);
	free(frame);
	links_free(l);
}

/* A link goes on with what is older than the message that waits elsewhere. */
static void
only_later_messages_are_held(void **state)
{
	struct links *l = begin();

	(void)state;
	l->br.links->congested = true;
	published(l, 0, 1, 20, "b");
	ev_run(l->br.loop, EVRUN_NOWAIT);
	l->br.links->congested = false;
	published(l, 1, 1, 10, "a");
	published(l, 1, 2, 30, "c");
	ev_run(l->br.loop, EVRUN_NOWAIT);
	assert_true(l->br.peers[0]->answers.stopped);
	expect_events(l, "abc");
	links_free(l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_are_handled_by_place),
		cmocka_unit_test(a_dead_workers_last_event_comes_first),
		cmocka_unit_test(an_event_with_a_later_place_waits),
		cmocka_unit_test(a_place_in_the_future_ends_the_link),
		cmocka_unit_test(what_is_in_memory_comes_before_questions),
		cmocka_unit_test(held_links_keep_the_order),
		cmocka_unit_test(a_held_link_of_the_dead_is_read),
		cmocka_unit_test(a_link_with_later_messages_is_not_read),
		cmocka_unit_test(only_later_messages_are_held),
	};

	hash_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
