/* SPDX-License-Identifier: MIT */
/*
 * unacked_test.c: an app whose deliveries fill the room waits before it
 * publishes, and no other app waits for it.  Events that nobody hears are told
 * apart from those that somebody may hear.
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

/* How many of n events to such a channel count as unheard? */
static uint64_t
unheard(const char *channel, unsigned n)
{
	rig.w.link->unheard = 0;
	publish(GREEDY, channel, n);
	return rig.w.link->unheard;
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

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_app_waits_for_its_own_deliveries),
		TEST(events_without_subscribers_never_wait),
		TEST(many_workers_have_it_together),
		TEST(events_are_unheard_after_many_without_subscribers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
