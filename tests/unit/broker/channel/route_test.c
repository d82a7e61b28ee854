/* SPDX-License-Identifier: MIT */
/* route.c: events, and what is acknowledged. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "tests/unit/broker/links.h"

static void
events_reach_the_workers_with_subscribers(void **state)
{
	struct links *l = links_new(NULL);
	struct msg_event m;

	(void)state;
	links_sub(l, 1, 11, "room", "");
	links_sub(l, 3, 33, "room", "");
	links_event(l, 0, "room", S("frame"), 0);
	links_event(l, 1, "other", S("frame"), 0);
	for (unsigned i = 1; i < LINKS; i += 2) {
		EXPECT(l, i, event, EVENT, &m);
		assert_int_equal(m.origin, 1);
		assert_int_equal(m.seq, 1);
		assert_bytes(m.channel, S("room"));
		assert_bytes(m.frame, S("frame"));
	}
	for (unsigned i = 0; i < LINKS; i++)
		expect_nothing(l, i);
	SEND(l, 3, unsub, .app = 1, .sid = 33, .channel = S("room"));
	links_event(l, 3, "room", S("two"), 0);
	EXPECT(l, 1, event, EVENT, &m);
	expect_nothing(l, 3);
	assert_int_equal(l->br.nevents, 3);
	links_free(l);
}

/* A client of worker 1 sends one, for all but itself. */
static void
client_event(struct links *l, uint64_t except, uint32_t flags)
{
	SEND(l, 1, event, .origin = l->origin[1], .seq = ++l->seq[1], .app = 1,
	    .except = except, .flags = flags, .channel = S("private-a"),
	    .frame = S("frame"));
}

static void
a_worker_whose_only_client_has_sent_it_gets_no_client_event(void **state)
{
	struct links *l = links_new(NULL);
	struct msg_event m;

	(void)state;
	links_sub(l, 1, 11, "private-a", "");
	links_sub(l, 2, 22, "private-a", "");
	client_event(l, 11, EVENT_CLIENT);
	EXPECT(l, 2, event, EVENT, &m);
	expect_nothing(l, 1);
	client_event(l, 11, EVENT_CLIENT | EVENT_LOG); /* the sender notes it */
	client_event(l, 22, 0); /* of a publisher, who excludes another one */
	for (unsigned i = 0; i < 2; i++) {
		EXPECT(l, 1, event, EVENT, &m);
		EXPECT(l, 2, event, EVENT, &m);
	}
	links_sub(l, 1, 12, "private-a", "");
	client_event(l, 11, EVENT_CLIENT);
	EXPECT(l, 1, event, EVENT, &m);
	links_free(l);
}

static void
a_worker_that_has_delivered_it_does_not_get_it_back(void **state)
{
	struct links *l = links_new(NULL);
	struct msg_event m;

	(void)state;
	links_sub(l, 1, 11, "private-a", "");
	links_sub(l, 1, 12, "private-a", "");
	client_event(l, 11, EVENT_CLIENT | EVENT_DELIVERED);
	expect_nothing(l, 1);
	assert_int_equal(l->br.nevents, 1);
	links_sub(l, 2, 22, "private-a", "");
	client_event(l, 11, EVENT_CLIENT | EVENT_DELIVERED);
	EXPECT(l, 2, event, EVENT, &m);
	assert_int_equal(m.seq, 2);
	expect_nothing(l, 1);
	links_free(l);
}

/* The next one with another seq than before, or 0. */
static uint64_t
next_ack(struct links *l, unsigned slot, uint64_t before)
{
	double end = broker_now() + 1;
	struct said s;
	struct msg_ack m;

	while (broker_now() < end) {
		while (links_next_any(l, slot, &s)) {
			if (s.type != IPC_ACK)
				continue;
			assert_int_equal(msg_ack_get(&m, s.body), 0);
			assert_true(m.taken >= m.seq);
			if (m.seq != before)
				return m.seq;
		}
		usleep(1000);
	}
	return 0;
}

static void
events_are_acknowledged_when_they_have_left(void **state)
{
	struct links *l = links_new(NULL);
	struct buf *big = buf_new(1 << 20);

	(void)state;
	memset(big->data, 'x', 1 << 20);
	big->len = 1 << 20;
	links_event(l, 0, "nobody", S("frame"), 0);
	assert_int_equal(next_ack(l, 0, 0), 1);
	links_sub(l, 3, 3, "alone", "");
	links_event(l, 3, "alone", S("frame"), EVENT_CLIENT);
	assert_int_equal(next_ack(l, 3, 0), 1);
	/* worker 1 does not read: what goes there is not acknowledged */
	links_sub(l, 1, 1, "room", "");
	links_sub(l, 0, 2, "room", "");
	for (int i = 0; i < 8; i++) {
		struct msg_event m = { .origin = 1,
			.seq = ++l->seq[0],
			.app = 1,
			.channel = S("room"),
			.frame = buf_str(big) };
		size_t n = msg_event_size(&m), off = 0;
		char *p = xmalloc(n);

		msg_event_put(p, &m);
		while (off < n) {
			ssize_t r =
			    send(l->fd[0], p + off, n - off, MSG_DONTWAIT);

			off += r > 0 ? (size_t)r : 0;
			links_turn(l);
			links_read(l, 0);
		}
		free(p);
	}
	links_event(l, 0, "nobody", S("frame"), 0);
	links_wait(l, 0.05);
	assert_int_equal(next_ack(l, 0, 1), 0);
	links_kill(l, 1); /* nobody waits for it any more */
	assert_int_equal(next_ack(l, 0, 1), 10);
	buf_unref(big);
	links_free(l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_reach_the_workers_with_subscribers),
		cmocka_unit_test(
		    a_worker_whose_only_client_has_sent_it_gets_no_client_event),
		cmocka_unit_test(
		    a_worker_that_has_delivered_it_does_not_get_it_back),
		cmocka_unit_test(events_are_acknowledged_when_they_have_left),
	};

	hash_seed();
	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
