/* SPDX-License-Identifier: MIT */
/* resume_channels.c, resume_index.c, and ids in rows: what is put is found. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "broker/core/budget.h"
#include "broker/log/resume.h"
#include "broker/log/resume_enter.h"
#include "shared/base/base.h"
#include "shared/base/hash.h"

#define CHANNELS 200
#define ROWS 300
#define LETTERS \
	"0123456789abcdef-_ABCDEFGHIJKLMNOPQRSTUVWXYZghijklmnopqrstuvwxyz"

static uint64_t
next(uint64_t *seed)
{
	*seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return *seed >> 33;
}

static void
check_channels(const struct resume_channels *s, const uint64_t *want)
{
	const struct resume_channel *c;
	uint32_t n = 0, i = 0;

	for (uint64_t h = 0; h < CHANNELS; h++) {
		c = resume_channel_find(s, h * 16);
		assert_true((c != NULL) == (want[h] != 0));
		if (c != NULL)
			assert_int_equal(resume_channel_from(c), want[h]);
		n += want[h] != 0;
	}
	assert_int_equal(s->n, n);
	while (resume_channels_next(s, &i) != NULL)
		n--;
	assert_int_equal(n, 0);
}

/* The hashes collide: their low bits are the same. */
static void
channels_come_and_go(void **state)
{
	uint64_t seed = 7, want[CHANNELS] = { 0 };
	struct resume_channels s = { .n = 0 };

	for (unsigned i = 0; i < 3000; i++) {
		/* Few in the beginning, so that one is without a table. */
		uint64_t h = next(&seed) % MIN(CHANNELS, i / 10 + 2);
		struct resume_channel *c = resume_channel_find(&s, h * 16);

		if (c != NULL && next(&seed) % 2) {
			resume_channel_remove(&s, c);
			want[h] = 0;
		} else {
			want[h] = i + 1;
			c = resume_channel_get(&s, h * 16);
			resume_channel_set(c, want[h], want[h] + i % 3);
			c->now = i % 2;
		}
		if (i % 50 < 3)
			check_channels(&s, want);
	}
	for (uint64_t h = 0; h < CHANNELS; h++)
		if (want[h] % 2 == 1) /* i is even: not now */
			want[h] = 0;
	resume_channels_drop_unused(&s);
	check_channels(&s, want);
	resume_channels_clear(&s);
	assert_int_equal(s.n, 0);
}

/* Of UUIDs, and of what is none: in upper, lower, and mixed case. */
static const char *const uuids[] = { "0123abcd-4567-89ef-0000-ffffffffffff",
	"0123ABCD-4567-89EF-0000-FFFFFFFFFFFF",
	"0123aBCD-4567-89EF-0000-FFFFFFFFFFFF",
	"01234567-4567-8900-0000-000000000000",
	"0123abcd-4567-89ef-0000_ffffffffffff",
	"0123abcd4-567-89ef-0000-ffffffffffff",
	"0123abcd-4567-89ef-0000-fffffffffff-" };

/* Ids that differ in the last character only, of all lengths. */
static struct str
id_of(char *out, unsigned i)
{
	size_t n = SESSION_ID_MIN + i % (SESSION_ID_MAX - SESSION_ID_MIN + 1);

	if (i < nitems(uuids))
		return str_of(uuids[i]);
	memcpy(out, LETTERS, n);
	out[n - 1] = LETTERS[i / 49];
	return str_make(out, n);
}

static void
sessions_are_found_by_ids_of_all_lengths(void **state)
{
	struct session_table *t = session_table_map(ROWS);
	struct resume_session *r[ROWS] = { NULL };
	char text[SESSION_ID_MAX], packed[SESSION_ID_MAX];
	struct resumes s = { .table = NULL };
	uint64_t seed = 3, sids[ROWS] = { 0 }, sid = 0;

	resumes_init(&s);
	resumes_recall(&s, t);
	for (unsigned k = 0; k < 6000; k++) {
		unsigned i = (unsigned)(next(&seed) % ROWS);
		struct resume_hello h = { .app = 1,
			.id = id_of(text, i),
			.sid = ++sid,
			.epoch = 5,
			.now = 1 };

		assert_ptr_equal(resumes_find(&s, 1, h.id), r[i]);
		assert_null(resumes_find(&s, 2, h.id));
		if (r[i] != NULL && k % 3 == 0) {
			/* It has no channel: nothing of it stays. */
			resumes_detach(&s, r[i], 2);
			r[i] = NULL;
			assert_null(resumes_of(&s, sids[i]));
		} else {
			r[i] = resumes_attach(&s, &h);
			assert_non_null(r[i]);
			sids[i] = sid;
		}
	}
	for (unsigned i = 0; i < ROWS; i++) {
		struct session_id id;

		if (r[i] == NULL)
			continue;
		assert_ptr_equal(resumes_of(&s, sids[i]), r[i]);
		id = session_row_id(t, resumes_row(&s, r[i]));
		assert_true(
		    str_eq(session_id_text(&id, packed), id_of(text, i)));
	}
	resumes_clear(&s);
}

static void
check_booked(struct resumes *s, uint32_t app)
{
	const struct resume_session *r;
	uint64_t bytes = 0;
	uint32_t i = 0;

	while ((r = resumes_next(s, &i)) != NULL)
		if (r->channels.bits > 0)
			bytes += (sizeof(struct resume_channel)
				     << r->channels.bits) +
			    BUDGET_BLOCK;
	assert_int_equal(s->memory.apps.held, bytes);
	assert_int_equal(shares_held(&s->memory.apps, app), bytes);
}

/* Sessions come, enter channels, leave some, go and are forgotten. */
static void
what_channels_hold_is_booked(void **state)
{
	struct session_table *t = session_table_map(ROWS / 10);
	struct resumes s = { .table = NULL };
	char text[SESSION_ID_MAX];
	uint64_t seed = 5, sid = 0;

	resumes_init(&s);
	resumes_recall(&s, t);
	for (unsigned k = 1; k < 5000; k++) {
		struct resume_hello h = { .app = 1,
			.id = id_of(text, (unsigned)(next(&seed) % ROWS)),
			.sid = ++sid,
			.epoch = 5 + k / 1000,
			.now = k };
		struct resume_session *r = resumes_attach(&s, &h);
		uint64_t n = next(&seed) % 50;

		assert_non_null(r);
		for (uint64_t c = 0; c < n; c++)
			resume_entered(&s, r, next(&seed) % 100, 0, k);
		resume_left(&s, r, next(&seed) % 100);
		if (k % 7 == 0)
			check_booked(&s, 1);
		resumes_detach(&s, r, k + (double)(next(&seed) % 300));
		check_booked(&s, 1);
	}
	assert_true(s.memory.apps.held > 0);
	resumes_forget_app(&s, 1);
	check_booked(&s, 1);
	assert_int_equal(s.memory.apps.held, 0);
	resumes_clear(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(channels_come_and_go),
		cmocka_unit_test(sessions_are_found_by_ids_of_all_lengths),
		cmocka_unit_test(what_channels_hold_is_booked),
	};

	hash_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
