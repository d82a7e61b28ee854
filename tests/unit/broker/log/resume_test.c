/* SPDX-License-Identifier: MIT */
/* resume.c: what a session is owed when its client comes back. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <sys/mman.h>

#include "broker/log/resume.h"
#include "broker/log/resume_enter.h"

#define ROWS 4
#define NEWS 77 /* the hash of a channel */
#define ID "0123456789abcdef"

struct desk {
	struct resumes s;
	struct session_table *table;
	uint64_t sid; /* of the last connection */
};

static int
set_up(void **state)
{
	static struct desk d;

	d = (struct desk){ .table = session_table_map(ROWS) };
	resumes_init(&d.s);
	resumes_recall(&d.s, d.table);
	*state = &d;
	return 0;
}

static int
tear_down(void **state)
{
	struct desk *d = *state;

	resumes_clear(&d->s);
	munmap(d->table, sizeof(*d->table) + ROWS * sizeof(d->table->rows[0]));
	return 0;
}

static struct resume_session *
come_as(struct desk *d, uint32_t app, const char *id)
{
	struct resume_hello h = { .app = app,
		.id = str_of(id),
		.sid = ++d->sid,
		.epoch = 5,
		.now = 1 };

	return resumes_attach(&d->s, &h);
}

static struct resume_session *
come(struct desk *d)
{
	return come_as(d, 1, ID);
}

static void
confirm(struct desk *d, struct resume_session *r, uint64_t pos)
{
	assert_true(session_row_ack(
	    resumes_row(&d->s, r), resumes_row(&d->s, r)->sid, pos));
}

static void
next_broker(struct desk *d)
{
	resumes_clear(&d->s);
	d->s = (struct resumes){ 0 };
	resumes_init(&d->s);
	resumes_recall(&d->s, d->table);
}

/* Enters the channel; what was it owed? */
static void
expect(const struct desk *d, const struct resume_session *r, uint64_t channel,
    enum resume_status status, enum resume_reason reason, uint64_t from)
{
	struct resume_answer a = resume_enter(&d->s, r, channel, 1);

	assert_int_equal(a.status, status);
	assert_int_equal(a.reason, reason);
	assert_int_equal(a.from, from);
}

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

/* Seconds for which sessions of an app may be detached. */
static uint32_t
seconds(void *arg, uint32_t app)
{
	unsigned *asked = arg;

	if (asked != NULL)
		++*asked;
	return app == 1 ? 10 : 1000;
}

static void
a_session_expires_after_the_time_of_its_app(void **state)
{
	struct desk *d = *state;
	struct resume_session *r = come(d), *other = come_as(d, 2, ID);

	resume_entered(&d->s, r, NEWS, 10, 10);
	resume_entered(&d->s, other, NEWS, 10, 10);
	confirm(d, r, 20);
	confirm(d, other, 20);
	resumes_detach(&d->s, other, 2);
	resumes_detach(&d->s, r, 2);
	resumes_expire(&d->s, seconds, NULL);
	assert_int_equal(d->s.ndetached, 2);
	resumes_row(&d->s, r)->since -= 11;
	resumes_row(&d->s, other)->since -= 11;
	resumes_expire(&d->s, seconds, NULL);
	assert_int_equal(d->s.ndetached, 1);
	r = come(d);
	expect(d, r, NEWS, RESUME_GAP, RESUME_EXPIRED, 0);
	assert_ptr_equal(come_as(d, 2, ID), other);
	expect(d, other, NEWS, RESUME_CONTINUED, RESUME_NO_REASON, 20);
}

/* Those of an app with a long resume_time cost nothing each second. */
static void
sessions_that_stay_are_not_looked_at(void **state)
{
	struct desk *d = *state;
	struct resume_session *r[ROWS];
	unsigned asked = 0;

	for (int i = 0; i < ROWS; i++) {
		char id[] = "0123456789abcde?";

		id[15] = (char)('a' + i);
		r[i] = come_as(d, 2, id);
		resume_entered(&d->s, r[i], NEWS, 10, 10);
		resumes_detach(&d->s, r[i], 2);
		resumes_row(&d->s, r[i])->since -= 11;
	}
	resumes_expire(&d->s, seconds, &asked);
	assert_int_equal(d->s.ndetached, ROWS);
	assert_int_equal(asked, 1); /* for the app */
}

static void
only_detached_sessions_give_way(void **state)
{
	struct desk *d = *state;
	struct resume_session *r[ROWS];
	char id[32];

	for (unsigned i = 0; i < ROWS; i++) {
		snprintf(id, sizeof(id), ID "%u", i);
		r[i] = come_as(d, 1, id);
		assert_non_null(r[i]);
		resume_entered(&d->s, r[i], NEWS, 10, 10);
	}
	assert_null(come_as(d, 1, ID "x"));
	resumes_detach(&d->s, r[2], 2);
	resumes_detach(&d->s, r[1], 2);
	assert_non_null(come_as(d, 1, ID "x"));
	assert_null(resumes_find(&d->s, 1, S(ID "2")));
	assert_ptr_equal(resumes_find(&d->s, 1, S(ID "1")), r[1]);
	r[2] = come_as(d, 1, ID "2"); /* and is told so */
	expect(d, r[2], NEWS, RESUME_GAP, RESUME_EVICTED, 0);
}

/* 4 rows: more than a 64th of them is one. */
static void
an_address_with_many_rows_gives_way(void **state)
{
	struct desk *d = *state;
	struct resume_session *r;
	char id[32];

	for (unsigned i = 0; i < 3 * ROWS; i++) {
		snprintf(id, sizeof(id), ID "%u", i);
		r = resumes_attach(&d->s,
		    &(struct resume_hello){ .app = 1,
			.id = str_of(id),
			.peer = i > 0,
			.sid = ++d->sid,
			.epoch = 5,
			.now = 1 });
		resume_entered(&d->s, r, NEWS, 10, 10);
		resumes_detach(&d->s, r, 2);
	}
	assert_non_null(resumes_find(&d->s, 1, S(ID "0")));
	assert_non_null(resumes_find(&d->s, 1, S(ID "11")));
	r = come_as(d, 1, "without-a-channel");
	resumes_detach(&d->s, r, 2);
	assert_null(resumes_find(&d->s, 1, S("without-a-channel")));
}

static void
away(struct desk *d, uint32_t app, uint32_t peer, const char *id)
{
	struct resume_hello h = { .app = app,
		.peer = peer,
		.id = str_of(id),
		.sid = ++d->sid,
		.epoch = 5,
		.now = 1 };
	struct resume_session *r = resumes_attach(&d->s, &h);

	resume_entered(&d->s, r, NEWS, 10, 10);
	resumes_detach(&d->s, r, 2);
}

/* App 1 has most rows, each of another address; app 2 has those of one. */
static void
an_address_gives_way_in_a_small_app_too(void **state)
{
	struct desk *d = *state;
	unsigned left = 0;
	char id[32];

	for (unsigned i = 1; i <= 11; i++) {
		snprintf(id, sizeof(id), ID "%u", i);
		away(d, i < 4 ? 1 : 2, i < 4 ? i : 9, id);
	}
	for (unsigned i = 1; i < 4; i++) {
		snprintf(id, sizeof(id), ID "%u", i);
		left += resumes_find(&d->s, 1, str_of(id)) != NULL;
	}
	assert_true(left >= 2); /* one made room while each address had one */
	assert_non_null(resumes_find(&d->s, 2, S(ID "11")));
}

static void
an_app_that_fills_the_table_forgets_its_own(void **state)
{
	struct desk *d = *state;
	struct resume_session *other = come_as(d, 2, ID), *r;
	char id[32];

	resume_entered(&d->s, other, NEWS, 10, 10);
	confirm(d, other, 20);
	resumes_detach(&d->s, other, 2);
	for (unsigned i = 0; i < 3 * ROWS; i++) {
		snprintf(id, sizeof(id), ID "%u", i);
		r = come_as(d, 1, id);
		resume_entered(&d->s, r, NEWS, 10, 10);
		resumes_detach(&d->s, r, 2);
	}
	assert_null(resumes_find(&d->s, 1, S(ID "0")));
	assert_ptr_equal(come_as(d, 2, ID), other);
	expect(d, other, NEWS, RESUME_CONTINUED, RESUME_NO_REASON, 20);
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

static void
rows_that_were_given_back_are_used_again(void **state)
{
	struct desk *d = *state;
	char id[32];

	for (unsigned i = 0; i < 3 * ROWS; i++) {
		if (i % ROWS == 0)
			resumes_forget_app(&d->s, 1);
		if (i == 2 * ROWS)
			next_broker(d); /* it finds them, too */
		snprintf(id, sizeof(id), "session-of-many-%u", i);
		assert_non_null(come_as(d, 1, id));
	}
	assert_int_equal(d->s.nlive, ROWS);
	assert_null(come_as(d, 1, "one-too-many-of-them"));
}

int
main(void)
{
#define AT_DESK(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		AT_DESK(a_confirmed_position_continues),
		AT_DESK(a_client_that_stops_confirming_gets_a_gap_each_time),
		AT_DESK(channels_that_are_not_kept_are_a_gap_and_not_new),
		AT_DESK(a_session_expires_after_the_time_of_its_app),
		AT_DESK(an_address_with_many_rows_gives_way),
		AT_DESK(an_address_gives_way_in_a_small_app_too),
		AT_DESK(sessions_that_stay_are_not_looked_at),
		AT_DESK(only_detached_sessions_give_way),
		AT_DESK(an_app_that_fills_the_table_forgets_its_own),
		AT_DESK(a_new_broker_continues_what_the_table_says),
		AT_DESK(
		    a_channel_that_is_not_kept_is_a_gap_for_the_next_broker),
		AT_DESK(
		    a_broker_that_dies_while_a_client_comes_back_loses_nothing),
		AT_DESK(channels_that_are_reported_twice_are_counted_once),
		AT_DESK(a_replay_that_dies_on_its_way_is_a_gap),
		AT_DESK(a_late_confirmation_counts_for_the_next_broker),
		AT_DESK(rows_that_were_given_back_are_used_again),
	};

	hash_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
