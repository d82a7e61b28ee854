/* SPDX-License-Identifier: MIT */
/* resume.c: what a session is owed when its client comes back. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/broker/log/resumes.h"

static void
a_confirmed_position_continues(void **state)
{
	struct desk *d = *state;
	struct resume_session *r = come(d);

	expect(d, r, NEWS, RESUME_NEW, RESUME_NO_REASON, 0);
	resume_entered(&d->s, r, NEWS, 10, 10);
	expect(d, r, NEWS, RESUME_NONE, RESUME_NO_REASON, 0);
	resume_entered(&d->s, r, NEWS + 1, 10, 10);
	resume_left(&d->s, r, NEWS + 1);
	confirm(d, r, 15);
	resumes_detach(&d->s, r, 2);
	assert_ptr_equal(come(d), r);
	expect(d, r, NEWS, RESUME_CONTINUED, RESUME_NO_REASON, 15);
	expect(d, r, NEWS + 1, RESUME_NEW, RESUME_NO_REASON, 0);
}

static void
a_client_that_stops_confirming_gets_a_gap_each_time(void **state)
{
	struct desk *d = *state;
	struct resume_session *r = come(d);

	resume_entered(&d->s, r, NEWS, 10, 10);
	resumes_detach(&d->s, r, 2);
	come(d);
	expect(d, r, NEWS, RESUME_GAP, RESUME_UNCONFIRMED, 0);
	resume_entered(&d->s, r, NEWS, 12, 12);
	confirm(d, r, 20);
	resumes_detach(&d->s, r, 2);
	come(d);
	expect(d, r, NEWS, RESUME_CONTINUED, RESUME_NO_REASON, 20);
	resume_entered(&d->s, r, NEWS, 20, 20);
	confirm(d, r, 0); /* it answers no question any more */
	resumes_detach(&d->s, r, 2);
	come(d);
	expect(d, r, NEWS, RESUME_GAP, RESUME_UNCONFIRMED, 0);
}

static void
channels_that_are_not_kept_are_a_gap_and_not_new(void **state)
{
	struct desk *d = *state;
	struct resume_session *r = come(d);
	uint64_t n = 1;

	for (; r->channels.n < n; n++) {
		resume_entered(&d->s, r, 1000 + n, 10, 10);
		if (r->over)
			break;
	}
	/* The last one was one too many. */
	assert_true(r->over);
	confirm(d, r, 30);
	resumes_detach(&d->s, r, 2);
	come(d);
	expect(d, r, 1001, RESUME_CONTINUED, RESUME_NO_REASON, 30);
	expect(d, r, 1000 + n, RESUME_GAP, RESUME_TOO_MANY, 0);
	/* With fewer channels it is as ever. */
	resume_left(&d->s, r, 1001);
	resumes_detach(&d->s, r, 500);
	come(d);
	expect(d, r, 1002, RESUME_CONTINUED, RESUME_NO_REASON, 30);
}

static void
a_new_broker_continues_what_the_table_says(void **state)
{
	struct desk *d = *state;
	struct resume_session *r = come(d);

	resume_entered(&d->s, r, NEWS, 10, 10);
	confirm(d, r, 20);
	next_broker(d);
	r = come(d);
	expect(d, r, NEWS, RESUME_CONTINUED, RESUME_NO_REASON, 20);
}

static struct resume_session *
another_broker(struct desk *d)
{
	next_broker(d);
	return come(d);
}

/* A connection of ten minutes has one too many; the next one is not in it. */
static void
a_channel_that_is_not_kept_is_a_gap_for_the_next_broker(void **state)
{
	struct desk *d = *state;
	struct resume_session *r = come(d);
	uint64_t last = 1000;

	while (!r->over)
		resume_entered(&d->s, r, ++last, 10, 10);
	confirm(d, r, 30);
	resumes_detach(&d->s, r, 600);
	come(d);
	for (uint64_t hash = 1001; hash < last; hash++)
		resume_entered(&d->s, r, hash, 30, 30);
	confirm(d, r, 40);
	r = another_broker(d);
	expect(d, r, last, RESUME_GAP, RESUME_RESTARTED, 0);
}

/* A position that it confirms before it is in all its channels does not hold
 * for all. */
static void
a_broker_that_dies_while_a_client_comes_back_loses_nothing(void **state)
{
	struct desk *d = *state;
	struct resume_session *r = come(d);

	resume_entered(&d->s, r, NEWS, 10, 10);
	resume_entered(&d->s, r, NEWS + 1, 10, 10);
	confirm(d, r, 20);
	resumes_detach(&d->s, r, 2);
	come(d);
	resume_entered(&d->s, r, NEWS, 20, 25);
	confirm(d, r, 30);
	r = another_broker(d);
	expect(d, r, NEWS + 1, RESUME_GAP, RESUME_RESTARTED, 0);
	resume_entered(&d->s, r, NEWS, 30, 30);
	resume_entered(&d->s, r, NEWS + 1, 30, 30);
	confirm(d, r, 40);
	r = another_broker(d);
	expect(d, r, NEWS + 1, RESUME_CONTINUED, RESUME_NO_REASON, 40);
	resume_entered(&d->s, r, NEWS, 40, 40);
	resume_entered(&d->s, r, NEWS + 1, 40, 40);
	resume_left(&d->s, r, NEWS + 1);
	confirm(d, r, 50);
	r = another_broker(d);
	expect(d, r, NEWS, RESUME_CONTINUED, RESUME_NO_REASON, 50);
	/* Of this one it has less. */
	expect(d, r, NEWS + 1, RESUME_GAP, RESUME_RESTARTED, 0);
}

/* The link was down, and the same broker gets the channels again. */
static void
channels_that_are_reported_twice_are_counted_once(void **state)
{
	struct desk *d = *state;
	struct resume_session *r = come(d);
	struct resume_hello again = { .app = 1,
		.id = S(ID),
		.sid = d->sid,
		.epoch = 5,
		.now = 2,
		.replay = true };

	resume_entered(&d->s, r, NEWS, 10, 10);
	resume_entered(&d->s, r, NEWS + 1, 10, 10);
	confirm(d, r, 20);
	resumes_drop(&d->s, 0, 2);
	assert_ptr_equal(resumes_attach(&d->s, &again), r);
	resume_entered(&d->s, r, NEWS, 10, 10);
	resume_entered(&d->s, r, NEWS + 1, 10, 10);
	resumes_detach(&d->s, r, 3);
	come(d);
	resume_entered(&d->s, r, NEWS, 20, 20);
	confirm(d, r, 30);
	r = another_broker(d);
	expect(d, r, NEWS + 1, RESUME_GAP, RESUME_RESTARTED, 0);
}

static void
a_replay_that_dies_on_its_way_is_a_gap(void **state)
{
	struct desk *d = *state;
	struct resume_session *r = come(d);

	resume_entered(&d->s, r, NEWS, 10, 10);
	resume_entered(&d->s, r, NEWS + 1, 10, 10);
	confirm(d, r, 20);
	resumes_detach(&d->s, r, 2);
	come(d); /* and dies before it is in a channel, or is there again */
	r = another_broker(d);
	expect(d, r, NEWS, RESUME_CONTINUED, RESUME_NO_REASON, 20);
	another_broker(d);
	resumes_detach(&d->s, resumes_of(&d->s, d->sid), 2);
	r = resumes_attach(&d->s,
	    &(struct resume_hello){ .app = 1,
		.id = S(ID),
		.sid = d->sid,
		.epoch = 5,
		.now = 1,
		.replay = true });
	expect(d, r, NEWS, RESUME_CONTINUED, RESUME_NO_REASON, 20);
	resume_entered(&d->s, r, NEWS, 20, 25);
	resume_entered(&d->s, r, NEWS + 1, 20, 30);
	confirm(d, r, 25); /* it has not got the second replay */
	r = another_broker(d);
	expect(d, r, NEWS + 1, RESUME_GAP, RESUME_RESTARTED, 0);
}

/* A client that is being closed confirms when the next broker is there. */
static void
a_late_confirmation_counts_for_the_next_broker(void **state)
{
	struct desk *d = *state;
	struct resume_session *r = come(d);
	uint32_t row = (uint32_t)(r - d->s.v);

	resume_entered(&d->s, r, NEWS, 10, 10);
	confirm(d, r, 20);
	resumes_detach(&d->s, r, 2);
	next_broker(d);
	assert_true(session_row_ack(&d->table->rows[row], d->sid, 30));
	r = come(d);
	expect(d, r, NEWS, RESUME_CONTINUED, RESUME_NO_REASON, 30);
	confirm(d, r, 40); /* of nothing that was said of NEWS */
	resumes_detach(&d->s, r, 2);
	r = come(d);
	expect(d, r, NEWS, RESUME_CONTINUED, RESUME_NO_REASON, 30);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		AT_DESK(a_confirmed_position_continues),
		AT_DESK(a_client_that_stops_confirming_gets_a_gap_each_time),
		AT_DESK(channels_that_are_not_kept_are_a_gap_and_not_new),
		AT_DESK(a_new_broker_continues_what_the_table_says),
		AT_DESK(
		    a_channel_that_is_not_kept_is_a_gap_for_the_next_broker),
		AT_DESK(
		    a_broker_that_dies_while_a_client_comes_back_loses_nothing),
		AT_DESK(channels_that_are_reported_twice_are_counted_once),
		AT_DESK(a_replay_that_dies_on_its_way_is_a_gap),
		AT_DESK(a_late_confirmation_counts_for_the_next_broker),
	};

	hash_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
