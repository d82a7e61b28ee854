/* SPDX-License-Identifier: MIT */
/* resume.c: which sessions have a row, and for how long. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/broker/log/resumes.h"

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

static struct resume_session *
come_beside_others(struct desk *d, uint32_t app, char last)
{
	char id[] = "0123456789abcde?";
	struct resume_hello h = { .app = app,
		.id = str_of(id),
		.sid = ++d->sid,
		.epoch = 5,
		.now = 1,
		.shared = true };

	id[15] = last;
	return resumes_attach(&d->s, &h);
}

/* Of four rows one app has three, also when its clients come back. */
static void
an_app_leaves_rows_for_clients_of_others(void **state)
{
	struct desk *d = *state;
	struct resume_session *r[ROWS];

	for (int i = 0; i < 3; i++) {
		r[i] = come_beside_others(d, 1, (char)('a' + i));
		resume_entered(&d->s, r[i], NEWS, 10, 10);
		confirm(d, r[i], 20);
	}
	assert_null(come_beside_others(d, 1, 'd'));
	resumes_detach(&d->s, r[0], 2);
	assert_non_null(come_beside_others(d, 1, 'd'));
	/* It gets events without its session: it may not continue later. */
	assert_null(come_beside_others(d, 1, 'a'));
	assert_int_equal(d->s.ndetached, 0);
	/* One that has a client is taken over by another connection. */
	assert_non_null(come_beside_others(d, 1, 'b'));
	assert_non_null(come_beside_others(d, 2, 'a'));
	resumes_detach(&d->s, r[2], 2);
	r[0] = come_beside_others(d, 1, 'a');
	assert_non_null(r[0]);
	expect(d, r[0], NEWS, RESUME_GAP, RESUME_EVICTED, 0);
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
	assert_int_equal(d->s.room.live.held, ROWS);
	assert_null(come_as(d, 1, "one-too-many-of-them"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		AT_DESK(a_session_expires_after_the_time_of_its_app),
		AT_DESK(sessions_that_stay_are_not_looked_at),
		AT_DESK(an_address_with_many_rows_gives_way),
		AT_DESK(an_address_gives_way_in_a_small_app_too),
		AT_DESK(only_detached_sessions_give_way),
		AT_DESK(an_app_leaves_rows_for_clients_of_others),
		AT_DESK(an_app_that_fills_the_table_forgets_its_own),
		AT_DESK(rows_that_were_given_back_are_used_again),
	};

	hash_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
