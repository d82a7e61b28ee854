/* SPDX-License-Identifier: MIT */
/* resync.c: messages that several workers resend, in one order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "shared/base/base.h"
#include "shared/proc/event_order.h"
#include "tests/unit/broker/links.h"

/* Was read then, is sent again now. */
static void
sent_again(struct links *l, unsigned slot, uint64_t seq, uint32_t us,
    const char *frame)
{
	SEND(l, slot, place, .us = us);
	SEND(l, slot, event, .origin = slot + 1, .seq = seq, .app = 1,
	    .channel = S("x"), .frame = str_of(frame));
	links_turn(l);
}

/*
 * The clock stands at 0; somebody on worker 3 is subscribed; all have said what
 * they have, and how far their backlogs go.
 */
static struct links *
begin(struct event_order *event_order, uint64_t upto0, uint64_t upto1,
    uint64_t upto2)
{
	struct links *l = links_resync(event_order);

	l->br.resync->base_us = 0;
	SEND(l, 3, sub, .app = 1, .sid = 3, .ref = 1, .stamp = 1,
	    .channel = S("x"));
	links_done(l, 0, upto0);
	links_done(l, 1, upto1);
	links_done(l, 2, upto2);
	links_done(l, 3, 0);
	links_turn(l);
	return l;
}

static void
the_backlogs_are_merged_by_time(void **state)
{
	struct links *l = begin(NULL, 4, 3, 1);

	(void)state;
	sent_again(l, 0, 1, 2, "b");
	sent_again(l, 0, 2, 9, "f");
	sent_again(l, 1, 1, 1, "a");
	expect_events(l, "");
	sent_again(l, 2, 1, 7, "e");
	expect_events(l, "a"); /* the next one of worker 1 may be older */
	sent_again(l, 1, 2, 3, "c");
	expect_events(l, "bc");
	sent_again(l, 1, 3, 5, "d");
	expect_events(l, "def");
	assert_int_equal(l->br.resync->state, RESYNC_RESEND);
	SEND(l, 0, sub, .seq = 3, .app = 1, .sid = 9, .ref = 1,
	    .channel = S("x"));
	sent_again(l, 0, 4, 8, "g"); /* nobody else has any more */
	expect_events(l, "g");
	assert_int_equal(l->br.resync->state, RESYNC_LIVE);
	links_free(l);
}

/* The event that the old broker had taken, with those before and after it. */
static void
a_taken_event_keeps_its_position(void **state)
{
	static const struct {
		uint64_t origin, seq;
	} taken[] = { { 2, 1 }, { 2, 2 }, { 1, 4 }, { 9, 1 }, { 2, 3 },
		{ 1, 5 }, { 3, 1 } };
	struct event_order *event_order = event_order_map();
	struct links *l;

	(void)state;
	for (size_t i = 0; i < nitems(taken); i++)
		event_order_add(event_order, taken[i].origin, taken[i].seq);
	l = begin(event_order, 6, 4, 1);
	sent_again(l, 0, 3, 80, "a"); /* longer ago than is remembered */
	sent_again(l, 0, 4, 90, "d");
	sent_again(l, 0, 5, 91, "f");
	sent_again(l, 0, 6, 92, "i"); /* had not been taken */
	sent_again(l, 2, 1, 5, "g");
	sent_again(l, 1, 1, 20, "b");
	sent_again(l, 1, 2, 21, "c");
	sent_again(l, 1, 3, 22, "e");
	expect_events(l, "abcde");
	sent_again(l, 1, 4, 23, "h"); /* was read before i */
	expect_events(l, "fghi");
	assert_int_equal(l->br.resync->state, RESYNC_LIVE);
	links_free(l);
}

/* The sender has left since, and another client of its worker was there. */
static void
a_client_event_that_is_sent_again_reaches_the_only_client(void **state)
{
	struct links *l = begin(NULL, 0, 0, 0);

	(void)state;
	links_kill(l, 3);
	links_hello(l, 3, 44);
	SEND(l, 3, sub, .app = 1, .sid = 3, .ref = 1, .stamp = 1,
	    .channel = S("x"));
	links_done(l, 3, 1);
	for (uint64_t seq = 1; seq <= 2; seq++)
		SEND(l, 3, event, .origin = 44, .seq = seq, .app = 1,
		    .except = seq == 1 ? 4 : 3, .flags = EVENT_CLIENT,
		    .channel = S("x"), .frame = seq == 1 ? S("a") : S("b"));
	expect_events(l, "a");
	links_free(l);
}

/* Worker 1 dies, worker 2 is stuck with half of its backlog. */
static void
a_stuck_worker_is_not_waited_for(void **state)
{
	struct links *l = begin(NULL, 2, 1, 2);

	(void)state;
	sent_again(l, 0, 1, 20, "b");
	sent_again(l, 2, 1, 10, "a");
	expect_events(l, "");
	links_kill(l, 1);
	expect_events(l, "a");
	/* It has moved in the first of these, and not in the second. */
	links_wait(l, 2 * RESYNC_SECONDS + 0.1);
	assert_int_equal(l->br.resync->state, RESYNC_LIVE);
	expect_events(l, "b");
	sent_again(l, 2, 2, 12, "c");
	expect_events(l, "c");
	links_free(l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_backlogs_are_merged_by_time),
		cmocka_unit_test(a_taken_event_keeps_its_position),
		cmocka_unit_test(
		    a_client_event_that_is_sent_again_reaches_the_only_client),
		cmocka_unit_test(a_stuck_worker_is_not_waited_for),
	};

	hash_seed();
	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
