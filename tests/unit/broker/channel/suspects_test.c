/* SPDX-License-Identifier: MIT */
/* suspects.c: members without a connection leave when their time has come. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <time.h>

#include "broker/channel/presence.h"
#include "broker/channel/suspects.h"
#include "tests/unit/broker/links.h"

#define MANY 20000

static struct presence *
members_of(struct links *l, const char *channel)
{
	struct channel *c = registry_get(l->br.registry, 1, str_of(channel));

	c->presence = presence_new(c);
	return c->presence;
}

/* A user whose connection has broken leaves in so many seconds. */
static void
break_one(struct links *l, struct presence *p, unsigned user, double seconds)
{
	double now = broker_now();
	char id[16];
	struct member *m;

	snprintf(id, sizeof(id), "%u", user);
	presence_join(p,
	    &(struct presence_join){ .id = str_of(id),
		.sid = user + 1,
		.stamp = user + 1,
		.max = UINT32_MAX });
	m = presence_keep(p, str_of(id), now, now + seconds);
	assert_non_null(m);
	assert_true(presence_lose_conn(m, 0, user + 1));
	suspects_add(&l->br, m);
}

static void
they_leave_in_the_order_of_their_times(void **state)
{
	struct links *l = links_new(NULL);
	struct presence *p = members_of(l, "presence-a");

	break_one(l, p, 1, 0.9);
	break_one(l, p, 2, 0.3);
	break_one(l, p, 3, 60);
	break_one(l, p, 4, 0.3);
	links_wait(l, 0.2);
	assert_int_equal(presence_count(p), 4);
	links_wait(l, 0.3); /* a 32nd of a second later, at most */
	assert_false(presence_has(p, S("2")));
	assert_false(presence_has(p, S("4")));
	assert_true(presence_has(p, S("1")));
	links_wait(l, 0.6);
	assert_false(presence_has(p, S("1")));
	assert_true(presence_has(p, S("3")));
	links_free(l);
}

/* Many others broke between a user's first connection and its last one. */
static void
one_that_leaves_before_many_costs_nothing(void **state)
{
	struct links *l = links_new(NULL);
	struct presence *p = members_of(l, "presence-a");
	clock_t began;

	for (unsigned i = 0; i < MANY; i++)
		break_one(l, p, i, 31);
	began = clock();
	for (unsigned i = 0; i < MANY; i++)
		break_one(l, p, MANY + i, 30);
	/* Seconds pass when the others are walked over each time. */
	assert_true(clock() - began < CLOCKS_PER_SEC / 2);
	assert_int_equal(presence_count(p), 2 * MANY);
	links_free(l);
}

/* Another app has an hour of grace, and members break all the time. */
static void
one_that_leaves_before_an_hour_costs_nothing(void **state)
{
	struct links *l = links_new(NULL);
	struct presence *p = members_of(l, "presence-a");
	clock_t began;

	for (unsigned i = 0; i < MANY; i++)
		break_one(l, p, i, 60 + i * 0.15);
	began = clock();
	for (unsigned i = 0; i < MANY; i++)
		break_one(l, p, MANY + i, 30);
	assert_true(clock() - began < CLOCKS_PER_SEC / 2);
	links_free(l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(they_leave_in_the_order_of_their_times),
		cmocka_unit_test(one_that_leaves_before_many_costs_nothing),
		cmocka_unit_test(one_that_leaves_before_an_hour_costs_nothing),
	};

	hash_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
