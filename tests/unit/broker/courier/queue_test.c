/* SPDX-License-Identifier: MIT */
/*
 * queue_test.c: the order in which requests may start: one at a time in each
 * channel, batches alone, a bound for all and one for retries.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "broker/courier/core.h"
#include "broker/courier/queue.h"

#define A 100
#define B 200

static unsigned nready;

static void
on_ready(struct queues *qs)
{
	(void)qs;
	nready++;
}

static int
set_up(void **state)
{
	static struct queues qs;

	queues_init(&qs, ev_default_loop(0), on_ready);
	*state = &qs;
	return 0;
}

static int
tear_down(void **state)
{
	queues_clear(*state);
	return 0;
}

static struct delivery *
add(struct queues *qs, uint64_t key, uint64_t id)
{
	struct delivery *d = delivery_new(qs, key);

	d->id = id;
	delivery_queue(d);
	return d;
}

/* Starts the next one, which has this id; 0: none may start. */
static struct delivery *
starts(struct queues *qs, uint64_t id)
{
	struct delivery *d = queues_next(qs);

	assert_int_equal(d == NULL ? 0 : d->id, id);
	if (d != NULL)
		delivery_start(d);
	return d;
}

static void
fails(struct delivery *d, uint64_t in_ms)
{
	d->attempts++;
	d->next_ms = courier_now_ms() + in_ms;
	delivery_again(d);
}

static void
s6_a_channel_that_is_retried_holds_up_only_itself(void **state)
{
	struct queues *qs = *state;
	struct delivery *a;

	add(qs, A, 1);
	add(qs, A, 2);
	add(qs, B, 3);
	add(qs, B, 4);
	a = starts(qs, 1);
	delivery_free(starts(qs, 3));
	fails(a, 30);
	delivery_free(starts(qs, 4));
	assert_null(queues_next(qs));
	nready = 0;
	while (nready == 0)
		ev_run(qs->loop, EVRUN_ONCE);
	delivery_free(starts(qs, 1));
	delivery_free(starts(qs, 2));
	assert_int_equal(qs->by_key.n, 0);
	assert_true(queues_are_idle(qs));
}

static void
s6_retries_leave_room_for_new_events(void **state)
{
	struct queues *qs = *state;
	struct delivery *v[QUEUE_ACTIVE];

	for (uint64_t i = 0; i < QUEUE_ACTIVE; i++)
		add(qs, A + i, i + 1);
	add(qs, 1000, 1000);
	for (uint64_t i = 0; i < QUEUE_ACTIVE; i++)
		v[i] = starts(qs, i + 1);
	starts(qs, 0);
	for (unsigned i = 0; i < QUEUE_ACTIVE; i++)
		fails(v[i], 0);
	for (uint64_t i = 0; i < QUEUE_RETRIES; i++)
		starts(qs, i + 1);
	delivery_free(starts(qs, 1000));
	starts(qs, 0);
	assert_int_equal(qs->retries, QUEUE_RETRIES);
	add(qs, QUEUE_TESTS, 2000);
	delivery_free(starts(qs, 2000));
}

static void
s6_batches_go_one_by_one_and_keep_the_order_of_channels(void **state)
{
	struct queues *qs = *state;
	struct delivery *a, *b;

	add(qs, A, 1);
	add(qs, QUEUE_BATCHES, 2);
	add(qs, QUEUE_BATCHES, 3);
	add(qs, A, 4); /* batches were switched off meanwhile */
	add(qs, QUEUE_TESTS, 5);
	delivery_free(starts(qs, 5));
	a = starts(qs, 1);
	starts(qs, 0);
	delivery_free(a);
	b = starts(qs, 2);
	starts(qs, 0);
	delivery_free(b);
	delivery_free(starts(qs, 3));
	delivery_free(starts(qs, 4));
	starts(qs, 0);
	assert_int_equal(qs->by_key.n, 0);
}

static void
those_that_are_deleted_are_not_sent(void **state)
{
	struct queues *qs = *state;
	uint64_t ids[] = { 4, 1, 9 };
	struct delivery *active;

	add(qs, A, 1);
	add(qs, A, 2);
	add(qs, B, 3);
	add(qs, B, 4);
	queues_drop(qs, ids, 3);
	active = queues_next(qs);
	delivery_start(active);
	assert_true(active->id == 2 || active->id == 3);
	assert_int_equal(qs->by_key.n, 2);
	queues_forget(qs);
	starts(qs, 0);
	delivery_free(active);
	assert_int_equal(qs->by_key.n, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(s6_a_channel_that_is_retried_holds_up_only_itself),
		TEST(s6_retries_leave_room_for_new_events),
		TEST(s6_batches_go_one_by_one_and_keep_the_order_of_channels),
		TEST(those_that_are_deleted_are_not_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
