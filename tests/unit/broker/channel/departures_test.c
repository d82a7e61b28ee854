/* SPDX-License-Identifier: MIT */
/* departures.c: members leave as fast as the workers deliver it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "broker/channel/presence.h"
#include "tests/unit/broker/links.h"

#define MEMBERS 40
#define CROWD 20000 /* subscribers of slot 1 */

static struct str
user(unsigned i)
{
	static char id[16];

	snprintf(id, sizeof(id), "u%u", i);
	return str_of(id);
}

static void
join(struct links *l, unsigned i, uint64_t sid)
{
	SEND(l, 0, sub, .app = 1, .sid = sid, .channel = S("presence-a"),
	    .user_id = user(i));
}

/* Members on slot 0, and a crowd that is told of them on slot 1. */
static struct channel *
fill(struct links *l)
{
	struct channel *c;

	links_sub(l, 1, 1000, "presence-a", "watcher");
	for (unsigned i = 0; i < MEMBERS; i++)
		join(l, i, i + 1);
	for (unsigned i = 0; i < MEMBERS; i++)
		links_expect_member(l, 1, MEMBER_ADDED, user(i).p, "null");
	c = registry_find(l->br.registry, 1, S("presence-a"));
	registry_enter_many(l->br.registry, c, 1, CROWD);
	return c;
}

static void
leave(struct links *l, unsigned i)
{
	SEND(l, 0, unsub, .app = 1, .sid = i + 1, .channel = S("presence-a"),
	    .user_id = user(i));
}

/* The ends of members that slot 1 has been told of, until nothing comes. */
static unsigned
removed(struct links *l, bool left[MEMBERS], uint64_t *ping)
{
	struct msg_member m;
	struct msg_ping p;
	struct said s;
	unsigned n = 0, i;

	while (links_next_any(l, 1, &s)) {
		if (s.type == IPC_PING && msg_ping_get(&p, s.body) == 0)
			*ping = p.id;
		if (s.type != IPC_MEMBER)
			continue;
		assert_int_equal(msg_member_get(&m, s.body), 0);
		assert_int_equal(m.change, MEMBER_REMOVED);
		i = (unsigned)atoi(m.user_id.p + 1);
		assert_true(i < MEMBERS && !left[i]);
		left[i] = true;
		n++;
	}
	return n;
}

/* All workers have come so far. */
static void
pong(struct links *l, uint64_t ping)
{
	for (unsigned slot = 0; slot < LINKS; slot++)
		SEND(l, slot, pong, .id = ping);
}

static void
they_wait_until_the_others_are_told(void **state)
{
	struct links *l = links_new(NULL);
	struct channel *c = fill(l);
	bool left[MEMBERS] = { 0 };
	uint64_t ping = 0, last = 0;
	unsigned n, all;

	for (unsigned i = 0; i < MEMBERS; i++)
		leave(l, i);
	all = removed(l, left, &ping);
	assert_in_range(all, 1, 10); /* of 20,000 deliveries each */
	assert_int_not_equal(ping, 0);
	assert_int_equal(presence_count(c->presence), MEMBERS + 1 - all);
	/* It comes back in time: nobody is told. */
	join(l, MEMBERS - 1, 500);
	while (ping != last) {
		last = ping;
		pong(l, ping);
		n = removed(l, left, &ping);
		assert_in_range(n, 0, 20);
		all += n;
	}
	assert_int_equal(all, MEMBERS - 1);
	assert_false(left[MEMBERS - 1]);
	assert_int_equal(presence_count(c->presence), 2);
	links_free(l);
}

static void
nobody_waits_for_another_app(void **state)
{
	struct links *l = links_new(NULL);
	bool left[MEMBERS] = { 0 };
	uint64_t ping = 0;
	struct said s;

	fill(l);
	links_app(l, 2, NULL);
	SEND(l, 0, sub, .app = 2, .sid = 600, .channel = S("presence-b"),
	    .user_id = S("ada"));
	SEND(l, 2, sub, .app = 2, .sid = 601, .channel = S("presence-b"),
	    .user_id = S("bob"));
	while (links_next(l, 2, &s))
		continue;
	for (unsigned i = 0; i < MEMBERS; i++)
		leave(l, i);
	SEND(l, 0, unsub, .app = 2, .sid = 600, .channel = S("presence-b"),
	    .user_id = S("ada"));
	assert_in_range(removed(l, left, &ping), 1, 10);
	links_expect_member(l, 2, MEMBER_REMOVED, "ada", "");
	links_free(l);
}

static void
the_end_of_a_worker_is_an_answer(void **state)
{
	struct links *l = links_new(NULL);
	bool left[MEMBERS] = { 0 };
	uint64_t ping = 0;
	unsigned n;

	fill(l);
	for (unsigned i = 0; i < MEMBERS; i++)
		leave(l, i);
	n = removed(l, left, &ping);
	for (unsigned slot = 0; slot < LINKS - 1; slot++)
		SEND(l, slot, pong, .id = ping);
	assert_int_equal(removed(l, left, &ping), 0);
	links_kill(l, LINKS - 1);
	assert_in_range(removed(l, left, &ping), n, 20);
	links_free(l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(they_wait_until_the_others_are_told),
		cmocka_unit_test(nobody_waits_for_another_app),
		cmocka_unit_test(the_end_of_a_worker_is_an_answer),
	};

	hash_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
