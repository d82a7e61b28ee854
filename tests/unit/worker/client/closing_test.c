/* SPDX-License-Identifier: MIT */
/* closing.c: many clients are closed in portions, and only those. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/worker/client/client_rig.h"
#include "worker/client/closing.h"

#define CROWD 300
#define TURN_MOST 129 /* clients without subscriptions, closed in one turn */

static struct conn *crowd[CROWD];
static int fds[CROWD];

static void
come(unsigned i)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(sock_set_nonblock(pair[1]), 0);
	fds[i] = pair[0];
	crowd[i] = input_open(&rig.w, pair[1], &ws_ops);
	crowd[i]->app = client_app_ref(apps_by_num(&rig.w, RIG_APP));
	crowd[i]->greeted = crowd[i]->authorized = true;
	conn_enlist(crowd[i]);
	ws_arm(crowd[i]);
}

static void
enter(struct conn *c, const char *channel)
{
	struct subscription *s = subscription_new(c, str_of(channel));

	s->on = true;
	s->user = channel[0] == '#';
	c->nsubs += !s->user;
	topic_add(s->t, s->c, &s->index);
}

static unsigned
closed(unsigned from, unsigned to)
{
	unsigned n = 0;

	while (from < to)
		n += conn_is_ending(crowd[from++]);
	return n;
}

static int
gather(void **state)
{
	setup(state);
	for (unsigned i = 0; i < CROWD; i++)
		come(i);
	return 0;
}

static int
disperse(void **state)
{
	for (unsigned i = 0; i < CROWD; i++)
		close(fds[i]);
	for (unsigned i = 0; i < CROWD && rig.w.nconns > 1; i++)
		rig_turn(&rig);
	return teardown(state);
}

static void
enable(bool on)
{
	struct msg_app_set m = rig_app_message();

	m.enabled = on;
	assert_int_equal(apps_on_set(&rig.w, &m), 0);
}

static void
terminate(const char *user)
{
	struct msg_terminate m = { .app = RIG_APP, .user_id = str_of(user) };

	assert_int_equal(client_on_terminate(&rig.w, &m), 0);
}

static void
ping(void)
{
	say("{\"event\":\"pusher:ping\"}");
	rig_expect_text(&rig, "{\"event\":\"pusher:pong\",\"data\":\"{}\"}");
}

/* Turns until all orders are carried out. */
static unsigned
turns(void)
{
	unsigned n = 0, before = closed(0, CROWD), now;

	do {
		closing_turn(&rig.w);
		now = closed(0, CROWD);
		assert_true(now - before <= TURN_MOST);
		before = now;
		n++;
	} while (!closing_is_over(&rig.w));
	return n;
}

static void
disabled(void **state)
{
	unsigned first;

	enable(false);
	first = closed(0, CROWD);
	assert_in_range(first, 1, TURN_MOST);
	assert_true(turns() >= 2);
	assert_int_equal(closed(0, CROWD), CROWD);
	assert_true(conn_is_ending(rig.c));
}

/* The end of a subscription is work, too. */
static void
subscriptions_count(void **state)
{
	char name[16];

	for (unsigned i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "c-%u", i);
		enter(crowd[CROWD - 1 - i / 20], name);
	}
	enable(false);
	assert_in_range(closed(0, CROWD), 1, TURN_MOST / 20 + 1);
	turns();
	assert_int_equal(closed(0, CROWD), CROWD);
}

/* A client that comes between two orders is closed by the second only. */
static void
enabled_between(void **state)
{
	struct conn *late;

	enable(false);
	enable(true);
	rig_greeted(&rig);
	late = rig.c;
	ping();
	turns();
	assert_int_equal(closed(0, CROWD), CROWD);
	assert_false(conn_is_ending(late));
	enable(false);
	turns();
	assert_true(conn_is_ending(late));
}

static void
disabled_twice(void **state)
{
	enable(false);
	enable(true);
	enable(false);
	turns();
	assert_int_equal(closed(0, CROWD), CROWD);
}

/* A user with few connections does not wait for one with many. */
static void
users(void **state)
{
	for (unsigned i = 0; i < CROWD; i++)
		enter(crowd[i],
		    i < CROWD - 3       ? "#server-to-user-many"
			: i < CROWD - 1 ? "#server-to-user-few"
					: "#server-to-user-one");
	terminate("many");
	assert_in_range(closed(0, CROWD), 1, TURN_MOST);
	assert_false(closing_is_over(&rig.w));
	terminate("few"); /* this turn's budget is spent */
	closing_turn(&rig.w);
	assert_int_equal(closed(CROWD - 3, CROWD), 0);
	closing_turn(&rig.w);
	assert_int_equal(closed(CROWD - 3, CROWD), 2);
	terminate("one"); /* the next one's is not */
	assert_int_equal(closed(CROWD - 3, CROWD), 3);
	turns();
	assert_int_equal(closed(0, CROWD), CROWD);
	assert_false(conn_is_ending(rig.c));
}

/* A client that signs in after the order stays. */
static void
user_comes_back(void **state)
{
	for (unsigned i = 0; i < CROWD; i++)
		enter(crowd[i], "#server-to-user-many");
	terminate("many");
	enter(rig.c, "#server-to-user-many");
	ping();
	turns();
	assert_int_equal(closed(0, CROWD), CROWD);
	assert_false(conn_is_ending(rig.c));
	terminate("many");
	assert_true(conn_is_ending(rig.c));
}

/* A client that speaks before its turn is closed, and not heard. */
static void
speaks_before_its_turn(void **state)
{
	struct str body;

	enable(false);
	enable(true);
	assert_false(closing_is_over(&rig.w));
	assert_false(conn_is_ending(rig.c)); /* the first of the list */
	say("{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":\"x\"}}");
	assert_true(conn_is_ending(rig.c));
	rig_expect_text(
	    &rig, "{\"event\":\"pusher:error\",\"data\":{\"code\":4003,*");
	while (rig_heard(&rig, &body) != IPC_NONE)
		assert_null(topic_find(&rig.w, RIG_APP, S("x")));
	/* Nor is it told to come back. */
	client_part(crowd[0], 4200, "the server is restarting");
	assert_int_equal(crowd[0]->close_code, 4003);
}

/* Another app with the same number gets none of the old clients. */
static void
deleted_and_new(void **state)
{
	struct msg_app_del del = { .app = RIG_APP };
	struct msg_app_set m = rig_app_message();

	assert_int_equal(apps_on_del(&rig.w, &del), 0);
	assert_false(closing_is_over(&rig.w));
	assert_false(list_is_empty(&rig.w.apps->gone));
	assert_null(apps_by_num(&rig.w, RIG_APP));
	m.id = S("another");
	assert_int_equal(apps_on_set(&rig.w, &m), 0);
	assert_true(closing_is_over(&rig.w));
	assert_true(list_is_empty(&rig.w.apps->gone));
	assert_int_equal(closed(0, CROWD), CROWD);
	assert_true(conn_is_ending(rig.c));
}

#define TEST_CROWD(f) cmocka_unit_test_setup_teardown(f, gather, disperse)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_CROWD(disabled),
		TEST_CROWD(subscriptions_count),
		TEST_CROWD(enabled_between),
		TEST_CROWD(disabled_twice),
		TEST_CROWD(users),
		TEST_CROWD(user_comes_back),
		TEST_CROWD(speaks_before_its_turn),
		TEST_CROWD(deleted_and_new),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
