/* SPDX-License-Identifier: MIT */
/*
 * Many connections that send as fast as they can, beside one that sends
 * little: what they cost in one turn, and who waits for whom.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/worker/rig.h"

#define MANY 100u
#define COST 200u /* of one byte */

static struct rig r;
static struct conn *conns[MANY + 1];
static int ends[MANY + 1]; /* the clients' */
static unsigned fed[MANY + 1];
static unsigned questions; /* in each byte */

static size_t
feed(struct conn *c, char *bytes, size_t n)
{
	for (unsigned i = 0; i <= MANY; i++)
		if (conns[i] == c)
			fed[i]++;
	input_charge(c, COST);
	if (questions > 0)
		input_asked(c, questions, 0);
	return 1;
}

static void
on_close(struct conn *c)
{
}

static const struct conn_ops ops = { .feed = feed, .on_close = on_close };

static int
setup(void **state)
{
	int fds[2];

	rig_init(&r);
	questions = 0;
	memset(fed, 0, sizeof(fed));
	for (unsigned i = 0; i <= MANY; i++) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
		assert_int_equal(sock_set_nonblock(fds[1]), 0);
		ends[i] = fds[0];
		conns[i] = input_open(&r.w, fds[1], &ops);
	}
	return 0;
}

static int
teardown(void **state)
{
	for (unsigned i = 0; i <= MANY; i++) {
		conn_close(conns[i]);
		close(ends[i]);
	}
	conn_reap(&r.w);
	assert_int_equal(r.w.unanswered_cost, 0);
	rig_clear(&r);
	return 0;
}

static void
say(unsigned i, size_t n)
{
	char bytes[500];

	memset(bytes, 'x', sizeof(bytes));
	assert_int_equal(write(ends[i], bytes, n), n);
}

/* How often connections were fed in one turn. */
static unsigned
turn(void)
{
	unsigned sum = 0;

	for (unsigned i = 0; i <= MANY; i++)
		sum -= fed[i];
	ev_run(r.w.loop, EVRUN_NOWAIT);
	input_run(&r.w);
	for (unsigned i = 0; i <= MANY; i++)
		sum += fed[i];
	return sum;
}

static void
s2_a_turn_has_a_bound_and_a_quiet_client_is_first(void **state)
{
	const unsigned most = 2 * (FLOW_TURN + FLOW_SHARE) / COST + 1;
	unsigned low = UINT32_MAX, high = 0, n;

	for (unsigned i = 0; i < MANY; i++)
		say(i, 500);
	for (unsigned t = 0; t < 200; t++) {
		n = turn();
		assert_in_range(n, 1, most);
		if (t % 50 == 40) { /* the others are in line for long */
			n = fed[MANY];
			say(MANY, 1);
			assert_in_range(turn(), 1, most);
			assert_int_equal(fed[MANY], n + 1);
		}
	}
	for (unsigned i = 0; i < MANY; i++) {
		low = MIN(low, fed[i]);
		high = MAX(high, fed[i]);
	}
	assert_true(low > 10 && high - low <= 2 * CREDIT_MAX / COST);
}

static void
s2_questions_of_many_wait_and_a_quiet_client_asks(void **state)
{
	questions = 1;
	for (unsigned i = 0; i < MANY; i++) {
		input_charge(conns[i], 2 * CREDIT_MAX);
		say(i, 500);
	}
	r.w.input->spent = 0;
	r.w.unanswered_cost = FLOW_ASKED - 10;
	for (unsigned t = 0; t < 50; t++)
		turn();
	/* One each may have been on its way. */
	assert_in_range(
	    r.w.unanswered_cost, FLOW_ASKED, FLOW_ASKED + MANY * COST_QUESTION);
	assert_int_equal(turn(), 0);
	assert_false(input_is_left(&r.w)); /* an answer wakes the loop */
	say(MANY, 1);
	assert_int_equal(turn(), 1);
	assert_int_equal(fed[MANY], 1);
	r.w.unanswered_cost -= FLOW_ASKED; /* the broker has answered others */
	assert_true(input_is_left(&r.w));
	assert_true(turn() > 0);
	/* Without a broker each has its own window. */
	r.w.no_broker = true;
	for (unsigned t = 0; t < 200; t++)
		turn();
	for (unsigned i = 0; i < MANY; i++)
		assert_in_range(conns[i]->unanswered, FLOW_GO_ON, FLOW_WINDOW);
	r.w.unanswered_cost += 10; /* those that it began with */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    s2_a_turn_has_a_bound_and_a_quiet_client_is_first, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    s2_questions_of_many_wait_and_a_quiet_client_asks, setup,
		    teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
