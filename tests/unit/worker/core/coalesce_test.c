/* SPDX-License-Identifier: MIT */
/* coalesce.c: when a flush waits for more events, and what ends the waiting. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "worker/core/coalesce.h"

#define START 1000000 /* us */

static void
deliver(struct coalesce *c, uint32_t events, uint32_t clients)
{
	c->nevents += events;
	c->fanout += events * clients;
	c->ndirty = c->ndirty < clients ? clients : c->ndirty;
}

static bool
waits(struct coalesce *c, unsigned nworkers, uint64_t now)
{
	return coalesce_pays(c, nworkers) &&
	    coalesce_waits(c, nworkers, c->nevents, START + now);
}

/* A worker whose last flush had so many events for 500 clients. */
static struct coalesce
after(uint32_t events)
{
	struct coalesce c = { 0 };

	deliver(&c, events, 500);
	coalesce_end(&c);
	assert_int_equal(c.nevents, 0);
	return c;
}

static void
an_event_that_comes_alone_leaves_at_once(void **state)
{
	struct coalesce c = after(1);

	(void)state;
	for (int i = 0; i < 3; i++) {
		deliver(&c, 1, 1000);
		assert_false(waits(&c, 4, 0));
		coalesce_end(&c);
	}
	deliver(&c, 2, 1000); /* these two came together */
	assert_true(waits(&c, 4, 0));
}

static void
only_few_clients_are_written_to_before_the_broker_is_woken(void **state)
{
	struct coalesce c = { 0 };

	(void)state;
	assert_false(coalesce_is_short(&c));
	deliver(&c, 10, 1);
	assert_true(coalesce_is_short(&c));
	deliver(&c, 1, 63);
	assert_true(coalesce_is_short(&c));
	deliver(&c, 1, 64);
	assert_false(coalesce_is_short(&c));
}

static void
a_few_clients_leave_at_once(void **state)
{
	struct coalesce c = after(10);

	(void)state;
	deliver(&c, 10, 1);
	assert_false(waits(&c, 4, 0));
	deliver(&c, 1, 2); /* eight of all workers */
	assert_true(waits(&c, 4, 0));
}

static void
alone_it_waits_for_as_many_as_the_last_time(void **state)
{
	struct coalesce c = after(10);

	(void)state;
	deliver(&c, 9, 500);
	assert_true(waits(&c, 1, 0));
	assert_true(waits(&c, 1, 299));
	deliver(&c, 1, 500);
	assert_false(waits(&c, 1, 299));
	coalesce_end(&c);
	deliver(&c, 9, 500);
	assert_true(waits(&c, 1, 400));
	assert_false(waits(&c, 1, 700)); /* too late */
}

static void
beside_others_it_waits_until_no_more_come(void **state)
{
	struct coalesce c = after(10);

	(void)state;
	deliver(&c, 20, 500);
	assert_true(waits(&c, 2, 0));
	assert_true(waits(&c, 2, 3000)); /* another one had the core */
	deliver(&c, 1, 500);
	assert_true(waits(&c, 2, 3001));
	assert_true(waits(&c, 2, 3002));
	assert_false(waits(&c, 2, 3003));
}

/* Their flushes are short. */
static void
beside_others_with_few_clients_it_does_not(void **state)
{
	struct coalesce c = after(10);

	(void)state;
	deliver(&c, 9, 63);
	assert_true(waits(&c, 2, 0));
	deliver(&c, 1, 63);
	assert_false(waits(&c, 2, 1));
}

static void
fewer_than_the_last_time_wait_a_little(void **state)
{
	struct coalesce c = after(100);

	(void)state;
	deliver(&c, 20, 500);
	assert_true(waits(&c, 2, 0));
	assert_true(waits(&c, 2, 1));
	assert_true(waits(&c, 2, 2));
	assert_true(waits(&c, 2, 299));
	assert_false(waits(&c, 2, 300));
}

static void
the_wait_has_an_end_though_more_come(void **state)
{
	struct coalesce c = after(10);
	uint64_t now = 0;

	(void)state;
	/* 0.5 us for each of 250 deliveries of two workers, and 250 more */
	deliver(&c, 2, 125);
	assert_true(waits(&c, 2, 0));
	assert_true(waits(&c, 2, 249));
	deliver(&c, 1, 250);
	assert_true(waits(&c, 2, 499));
	assert_false(waits(&c, 2, 500));
	coalesce_end(&c);
	do { /* and 5 ms at most */
		now += 100;
		deliver(&c, 10, 500);
	} while (waits(&c, 2, 1000 + now));
	assert_int_equal(now, 5100);
}

static void
one_small_flush_is_not_the_end_of_the_load(void **state)
{
	struct coalesce c = after(10);
	int n;

	(void)state;
	for (n = 0; n < 100; n++) { /* it expects 10, 5, 2, 1 */
		deliver(&c, 1, 500);
		if (!waits(&c, 4, 0))
			break;
		coalesce_end(&c);
	}
	assert_int_equal(n, 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    only_few_clients_are_written_to_before_the_broker_is_woken),
		cmocka_unit_test(an_event_that_comes_alone_leaves_at_once),
		cmocka_unit_test(a_few_clients_leave_at_once),
		cmocka_unit_test(alone_it_waits_for_as_many_as_the_last_time),
		cmocka_unit_test(beside_others_it_waits_until_no_more_come),
		cmocka_unit_test(beside_others_with_few_clients_it_does_not),
		cmocka_unit_test(fewer_than_the_last_time_wait_a_little),
		cmocka_unit_test(the_wait_has_an_end_though_more_come),
		cmocka_unit_test(one_small_flush_is_not_the_end_of_the_load),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
