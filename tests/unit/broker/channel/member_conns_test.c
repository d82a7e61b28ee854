/* SPDX-License-Identifier: MIT */
/* member_conns.c: the connections of a member, through presence.c that owns
 * them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "shared/base/base.h"
#include "tests/unit/broker/channel/members.h"

/* The user info of further connections counts too, unless known already. */
static void
c7_infos_of_further_connections_have_the_same_bound(void **state)
{
	enum { BIG = 1 << 20 };
	struct presence *p = presence_new(NULL);
	char *info = malloc(BIG + 1);
	struct presence_join j = { .id = S("a"), .max = 1 };
	enum presence_joined r;
	unsigned n = 0;

	(void)state;
	memset(info, '1', BIG);
	info[BIG] = '\0';
	do {
		info[0] = (char)('1' + n % 2);
		j.info = str_of(info);
		j.sid = j.stamp = ++n;
		r = presence_join(p, &j);
	} while (r < PRESENCE_FULL && n < 1000);
	assert_int_equal(r, PRESENCE_TOO_LARGE);
	assert_int_equal(n, 2 * (PRESENCE_MAX_BYTES / BIG - 1));
	j.info = S("1");
	assert_int_equal(presence_join(p, &j), PRESENCE_MORE);
	presence_free(p);
	free(info);
}

static void
assert_info(struct presence *p, const char *id, const char *want)
{
	const struct member *m = presence_find(p, str_of(id));

	assert_non_null(m);
	if (!str_eq(member_info(m), str_of(want)))
		fail_msg("%.*s is not %s", STR_ARG(member_info(m)), want);
}

static void
c7_the_info_is_that_of_the_oldest_connection_left(void **state)
{
	struct presence *p = presence_new(NULL);

	(void)state;
	join(p, 0, "a", "1");
	join(p, 0, "b", "");
	join(p, 1, "a", "2");
	join(p, 0, "a", "3");
	join(p, 1, "a", "3");
	assert_info(p, "a", "1");
	leave(p, 0, "a", 4);
	assert_info(p, "a", "2");
	assert_list(p,
	    "{\"presence\":{\"ids\":[\"a\",\"b\"],\"hash\":{"
	    "\"a\":2,\"b\":null},\"count\":2}}");
	leave(p, 0, "a", 1); /* not the oldest */
	assert_info(p, "a", "2");
	leave(p, 1, "a", 2);
	assert_info(p, "a", "3");
	assert_list(p,
	    "{\"presence\":{\"ids\":[\"a\",\"b\"],\"hash\":{"
	    "\"a\":3,\"b\":null},\"count\":2}}");
	assert_int_equal(leave(p, 1, "a", 0), PRESENCE_GONE);
	presence_free(p);
}

/*
 * A replay enters what has ended beside what has taken its place; then the
 * message comes that ended the older one.
 */
static void
c7_a_connection_that_is_there_twice_loses_the_older_one(void **state)
{
	static const uint64_t stamps[] = { 5, 20, 15, 10 };
	static const char *const infos[] = { "5", "20", "15", "10" };
	struct presence *p = presence_new(NULL);
	struct presence_join j = {
		.id = S("a"), .sid = 7, .max = 9, .replay = true
	};

	(void)state;
	for (size_t i = 0; i < nitems(stamps); i++) {
		j.stamp = stamps[i];
		j.info = str_of(infos[i]);
		if (i == 0)
			j.sid = 3;
		else
			j.sid = 7;
		presence_join(p, &j);
	}
	assert_info(p, "a", "5");
	presence_leave(p, 0, 7, S("a"));
	presence_leave(p, 0, 3, S("a"));
	assert_info(p, "a", "15");
	presence_leave(p, 0, 7, S("a"));
	assert_info(p, "a", "20");
	assert_int_equal(presence_leave(p, 0, 7, S("a")), PRESENCE_GONE);
	presence_free(p);
}

/* A roster names a user before the worker of his connection replays it. */
static void
c7_a_recalled_member_has_the_info_of_who_is_there(void **state)
{
	struct presence *p = presence_new(NULL);
	struct presence_join j = { .id = S("a"),
		.info = S("2"),
		.sid = 9,
		.stamp = 30,
		.max = 9,
		.replay = true };
	struct list suspects;

	(void)state;
	list_init(&suspects);
	assert_true(presence_recall(p, S("a"), S("1"), 10, &suspects));
	j.id = S("b");
	j.stamp = 20;
	presence_join(p, &j);
	j.id = S("a");
	j.stamp = 30;
	assert_int_equal(presence_join(p, &j), PRESENCE_MORE);
	assert_true(list_is_empty(&suspects));
	assert_list(p,
	    "{\"presence\":{\"ids\":[\"a\",\"b\"],\"hash\":{"
	    "\"a\":2,\"b\":2},\"count\":2}}");
	/* or after it: the place is that of who came first */
	assert_false(presence_recall(p, S("b"), S("0"), 5, &suspects));
	assert_list(p,
	    "{\"presence\":{\"ids\":[\"b\",\"a\"],\"hash\":{"
	    "\"b\":2,\"a\":2},\"count\":2}}");
	presence_free(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    c7_infos_of_further_connections_have_the_same_bound),
		cmocka_unit_test(
		    c7_the_info_is_that_of_the_oldest_connection_left),
		cmocka_unit_test(
		    c7_a_connection_that_is_there_twice_loses_the_older_one),
		cmocka_unit_test(
		    c7_a_recalled_member_has_the_info_of_who_is_there),
	};

	hash_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
