/* SPDX-License-Identifier: MIT */
/*
 * unacked_test.c: an app whose deliveries fill the room waits before it
 * publishes, and no other app waits for it.  Events that nobody hears are told
 * apart from those that somebody may hear, and the ones that need not wait for
 * the broker from the ones that must.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/worker/rig.h"

#define GREEDY 7
#define OTHER 8
#define COST 1000u

static struct rig rig;

static int
set_up(void **state)
{
	rig_init(&rig);
	return 0;
}

static int
tear_down(void **state)
{
	rig_clear(&rig);
	return 0;
}

static uint32_t
cost(struct worker *w, const struct msg_event *m)
{
	return m->channel.n == 0 ? 0 : COST;
}

static void
publish(uint32_t app, const char *channel, unsigned n)
{
	struct msg_event m = {
		.app = app, .channel = str_of(channel), .frame = S("{}")
	};

	while (n-- > 0)
		unacked_send_event(&rig.w, &m);
}

static void
acknowledge(uint64_t seq)
{
	struct msg_ack m = { .seq = seq, .taken = rig.w.unacked->seq };

	assert_int_equal(unacked_on_ack(&rig.w, &m), 0);
}

/* How many can it publish until it has to wait? */
static unsigned
room(uint32_t app)
{
	unsigned n = 0;

	for (; !unacked_must_wait(&rig.w, app); n++)
		publish(app, "c", 1);
	return n;
}

static void
an_app_waits_for_its_own_deliveries(void **state)
{
	unsigned alone, rest;

	rig.w.unacked->cost = cost;
	assert_false(unacked_must_wait(&rig.w, GREEDY));
	alone = room(GREEDY);
	assert_in_range(alone, 250, 300);
	assert_false(unacked_must_wait(&rig.w, OTHER));
	rest = room(OTHER); /* half of what is left, as it may be more apps */
	assert_in_range(rest, 100, alone - 1);
	assert_true(unacked_must_wait(&rig.w, GREEDY));
	acknowledge(alone); /* its own */
	assert_false(unacked_must_wait(&rig.w, GREEDY));
	acknowledge(rig.w.unacked->seq);
	assert_false(unacked_must_wait(&rig.w, OTHER));
	assert_int_equal(room(GREEDY), alone);
	acknowledge(rig.w.unacked->seq);
}

/* An app's answers are no reason for clients of others to wait. */
static void
answers_count_for_their_app(void **state)
{
	static char body[30000];
	struct msg_idem_store m = { .app = GREEDY,
		.key = S("k"),
		.status = 200,
		.body = str_make(body, sizeof(body)) };

	for (int i = 0; i < 350; i++)
		unacked_send_idem_store(&rig.w, &m);
	assert_int_equal(rig.w.unacked_state, 0);
	assert_int_equal(unacked_events(&rig.w), 0);
	assert_false(unacked_may_publish(&rig.w, GREEDY));
	assert_true(unacked_may_publish(&rig.w, OTHER));
	acknowledge(rig.w.unacked->seq);
	assert_true(unacked_may_publish(&rig.w, GREEDY));
	assert_int_equal(rig.w.unacked->counted, 0);
}

static void
events_without_subscribers_never_wait(void **state)
{
	rig.w.unacked->cost = cost;
	publish(GREEDY, "", 10000);
	assert_false(unacked_must_wait(&rig.w, GREEDY));
	acknowledge(rig.w.unacked->seq);
}

static void
many_workers_have_it_together(void **state)
{
	unsigned alone;

	rig.w.unacked->cost = cost;
	alone = room(GREEDY);
	acknowledge(rig.w.unacked->seq);
	rig.conf.nworkers = 4;
	assert_in_range(room(GREEDY), alone / 4 - 1, alone / 4 + 1);
	acknowledge(rig.w.unacked->seq);
	rig.conf.nworkers = 64;
	assert_in_range(room(GREEDY), 5, alone / 16);
	acknowledge(rig.w.unacked->seq);
}

/* Acknowledges all; heard: the last event that had a subscriber. */
static void
acknowledge_heard(uint64_t heard)
{
	uint64_t seq = rig.w.unacked->seq;
	struct msg_ack m = { .seq = seq, .taken = seq, .heard = heard };

	assert_int_equal(unacked_on_ack(&rig.w, &m), 0);
}

/* How many of n events to such a channel count as patient? */
static uint64_t
unheard(const char *channel, unsigned n)
{
	rig.w.link->wake.patient = 0;
	publish(GREEDY, channel, n);
	return rig.w.link->wake.patient;
}

static void
events_are_unheard_after_many_without_subscribers(void **state)
{
	struct msg_ack lie = { .heard = 1 };
	char *alone = rig.conf.cluster, name[] = "c";

	rig.w.unacked->cost = cost;
	assert_int_equal(unheard("", 64), 0); /* the broker has not said so */
	acknowledge_heard(0);
	assert_int_equal(unheard("", 10), 10);
	assert_int_equal(unheard("c", 10), 0); /* it has subscribers here */
	acknowledge_heard(70);                 /* in another worker */
	assert_int_equal(unheard("", 50), 0);
	acknowledge_heard(70);
	assert_int_equal(unheard("", 10), 10);
	rig.conf.cluster = name; /* others may have some */
	assert_int_equal(unheard("", 10), 0);
	rig.conf.cluster = alone;
	lie.heard = rig.w.unacked->taken + 1;
	lie.seq = lie.taken = rig.w.unacked->acked;
	assert_int_equal(unacked_on_ack(&rig.w, &lie), -1);
	acknowledge_heard(0);
}

/* ---- may the next event be delivered at once? ---- */

static void
deliver(const char *frame)
{
	struct msg_event m = { .app = OTHER,
		.flags = EVENT_CLIENT | EVENT_DELIVERED,
		.channel = S("c"),
		.frame = str_of(frame) };

	assert_true(unacked_may_deliver(&rig.w, 100));
	unacked_send_event(&rig.w, &m);
}

static void
nothing_is_delivered_before_what_is_under_way(void **state)
{
	struct msg_sub sub = { .app = OTHER, .channel = S("c") };

	rig.w.unacked->cost = cost;
	deliver("1");
	deliver("2"); /* these do not wait for each other */
	publish(GREEDY, "c", 1);
	assert_false(unacked_may_deliver(&rig.w, 100));
	acknowledge(2);
	assert_false(unacked_may_deliver(&rig.w, 100));
	acknowledge(3);
	deliver("4");
	unacked_send_sub(&rig.w, &sub);
	assert_false(unacked_may_deliver(&rig.w, 100));
	acknowledge(5);
	deliver("6");
}

static void
an_event_that_has_come_back_has_all_before_it(void **state)
{
	struct msg_sub sub = { .app = OTHER, .channel = S("c") };

	rig.w.unacked->cost = cost;
	publish(GREEDY, "c", 2);
	unacked_came_back(&rig.w, 1);
	assert_false(unacked_may_deliver(&rig.w, 100));
	unacked_came_back(&rig.w, 2);
	deliver("3");
	unacked_send_sub(&rig.w, &sub);
	unacked_came_back(&rig.w, 4); /* what follows from it: not all */
	assert_false(unacked_may_deliver(&rig.w, 100));
	publish(GREEDY, "c", 1);
	unacked_came_back(&rig.w, 99); /* of no message */
	assert_false(unacked_may_deliver(&rig.w, 100));
	unacked_came_back(&rig.w, 5);
	deliver("6");
	acknowledge(6);
	unacked_came_back(&rig.w, 5); /* again, late */
	deliver("7");
}

static void
what_is_delivered_costs_no_room_for_deliveries(void **state)
{
	rig.w.unacked->cost = cost;
	deliver("1");
	assert_int_equal(rig.w.unacked->fanout, 0);
	publish(OTHER, "c", 1);
	assert_int_equal(rig.w.unacked->fanout, COST);
	acknowledge(2);
	assert_int_equal(rig.w.unacked->fanout, 0);
	assert_int_equal(rig.w.unacked->counted, 0);
}

/* All of it has to fit into the ring. */
static void
a_late_broker_ends_it(void **state)
{
	char frame[4096] = "";
	unsigned n = 0;

	rig.w.unacked->cost = cost;
	memset(frame, 'x', sizeof(frame) - 1);
	for (; unacked_may_deliver(&rig.w, 100); n++)
		deliver(frame);
	assert_in_range(n, 30, 33);
	assert_false(unacked_may_deliver(&rig.w, 0));
	acknowledge(1);
	assert_false(unacked_may_deliver(&rig.w, 2 * sizeof(frame)));
	assert_true(unacked_may_deliver(&rig.w, 100));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_app_waits_for_its_own_deliveries),
		TEST(answers_count_for_their_app),
		TEST(events_without_subscribers_never_wait),
		TEST(many_workers_have_it_together),
		TEST(events_are_unheard_after_many_without_subscribers),
		TEST(nothing_is_delivered_before_what_is_under_way),
		TEST(an_event_that_has_come_back_has_all_before_it),
		TEST(what_is_delivered_costs_no_room_for_deliveries),
		TEST(a_late_broker_ends_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
