/* SPDX-License-Identifier: MIT */
/*
 * stats_db_test.c: minutes become hours and days, a repeated one counts once,
 * old ones go; a file that is damaged, locked or cannot grow is an error with
 * a sentence.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "shared/app/stats_db.h"
#include "shared/base/base.h"
#include "shared/base/xmalloc.h"

#define DAY (UINT64_C(20000) * 86400)

struct place {
	char dir[40];
	char *path;
	struct stats_db *d;
	uint64_t seq;
};

static int
set_up(void **state)
{
	struct place *p = xcalloc(1, sizeof(*p));
	char *why;

	snprintf(p->dir, sizeof(p->dir), "/tmp/stats-db-test-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	p->path = xasprintf("%s/stats.db", p->dir);
	p->d = stats_db_open(p->path, true, &why);
	assert_non_null(p->d);
	*state = p;
	return 0;
}

static int
tear_down(void **state)
{
	struct place *p = *state;

	stats_db_close(p->d);
	unlink(p->path);
	rmdir(p->dir);
	free(p->path);
	free(p);
	return 0;
}

static int
add(struct place *p, const char *app, uint64_t time, uint64_t seq)
{
	struct stats_db_minute m = { .origin = 7,
		.seq = seq,
		.time = time,
		.app = str_of(app),
		.row = { .seconds = 60,
		    .connection_seconds = 120,
		    .connections = 2 + time / 60 % 3,
		    .published = 10 } };

	return stats_db_add(p->d, &m);
}

struct seen {
	unsigned n;
	uint64_t time, counted;
	struct stats_db_row last;
};

static void
see(void *arg, uint64_t time, uint64_t counted, const struct stats_db_row *r)
{
	struct seen *s = arg;

	assert_true(s->n == 0 || time > s->time);
	s->n++;
	s->time = time;
	s->counted = counted;
	s->last = *r;
}

static struct seen
look(struct place *p, const char *app, uint64_t step)
{
	struct stats_db_query q = { .app = str_of(app), .step = step };
	struct seen s = { .n = 0 };

	assert_int_equal(stats_db_each(p->d, &q, see, &s), 0);
	return s;
}

static void
test_minutes_become_hours_and_days(void **state)
{
	struct place *p = *state;
	struct seen s;

	for (unsigned i = 0; i < 120; i++) {
		assert_int_equal(add(p, "", DAY + i * 60, ++p->seq), 0);
		if (i % 2 == 0)
			assert_int_equal(
			    add(p, "shop", DAY + i * 60, ++p->seq), 0);
	}
	assert_int_equal(stats_db_commit(p->d, DAY + 7200), 0);
	s = look(p, "shop", 60);
	assert_int_equal(s.n, 60);
	s = look(p, "shop", 3600);
	assert_int_equal(s.n, 2);
	assert_int_equal(s.time, DAY + 3600);
	assert_int_equal(s.last.published, 300);
	assert_int_equal(s.last.connections, 4);
	assert_int_equal(s.last.seconds, 1800);
	assert_int_equal(s.counted, 3600);
	s = look(p, "shop", 86400);
	assert_int_equal(s.n, 1);
	assert_int_equal(s.last.published, 600);
	assert_int_equal(s.counted, 7200);
	assert_int_equal(look(p, "other", 60).n, 0);
}

/* A courier that dies after its commit gets the same minutes again. */
static void
test_a_repeated_minute_counts_once(void **state)
{
	struct place *p = *state;
	char *why;

	assert_int_equal(add(p, "", DAY, 1), 0);
	assert_int_equal(add(p, "shop", DAY, 2), 0);
	assert_int_equal(stats_db_commit(p->d, DAY), 0);
	assert_int_equal(add(p, "shop", DAY + 60, 3), 0);
	stats_db_close(p->d); /* not committed */
	p->d = stats_db_open(p->path, true, &why);
	assert_non_null(p->d);
	for (uint64_t seq = 1; seq <= 2; seq++)
		assert_int_equal(add(p, "shop", DAY, seq), 0);
	assert_int_equal(add(p, "shop", DAY + 60, 3), 0);
	/* The clock was put back: the same minute, but not a repeated one. */
	assert_int_equal(add(p, "shop", DAY + 60, 4), 0);
	assert_int_equal(stats_db_commit(p->d, DAY), 0);
	assert_int_equal(look(p, "shop", 60).n, 2);
	assert_int_equal(look(p, "shop", 60).last.published, 20);
	assert_int_equal(look(p, "shop", 3600).last.published, 30);
}

static void
test_old_rows_go(void **state)
{
	struct place *p = *state;

	assert_int_equal(add(p, "shop", DAY, 1), 0);
	assert_int_equal(stats_db_commit(p->d, DAY), 0);
	assert_int_equal(add(p, "shop", DAY + 3 * 86400, 2), 0);
	assert_int_equal(stats_db_commit(p->d, DAY + 3 * 86400), 0);
	assert_int_equal(look(p, "shop", 60).n, 1);
	assert_int_equal(look(p, "shop", 3600).n, 2);
	assert_int_equal(add(p, "shop", DAY + 396 * UINT64_C(86400), 3), 0);
	assert_int_equal(stats_db_commit(p->d, DAY + 396 * UINT64_C(86400)), 0);
	assert_int_equal(look(p, "shop", 3600).n, 2);
}

/* Ten hours, then one row of a clock that is 400 days ahead. */
static void
test_a_clock_that_jumps(void **state)
{
	const uint64_t ahead = DAY + 400 * UINT64_C(86400);
	struct place *p = *state;
	uint64_t seq = 0;

	for (uint64_t t = 0; t < 10; t++)
		assert_int_equal(add(p, "shop", DAY + t * 3600, ++seq), 0);
	assert_int_equal(stats_db_commit(p->d, DAY + 36000), 0);
	assert_int_equal(add(p, "shop", ahead, ++seq), 0);
	assert_int_equal(stats_db_commit(p->d, ahead), 0);
	assert_int_equal(look(p, "shop", 60).n, 9);
	assert_int_equal(look(p, "shop", 3600).n, 9);
	/* It stays there: the old rows go, two hours at a time. */
	for (unsigned i = 1; i < 5; i++) {
		assert_int_equal(
		    add(p, "shop", ahead + (uint64_t)i * 60, ++seq), 0);
		assert_int_equal(
		    stats_db_commit(p->d, ahead + (uint64_t)i * 60), 0);
	}
	assert_int_equal(look(p, "shop", 3600).n, 1);
}

static void
test_a_locked_file(void **state)
{
	struct place *p = *state;
	sqlite3 *other;

	assert_int_equal(sqlite3_open(p->path, &other), SQLITE_OK);
	assert_int_equal(
	    sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), 0);
	assert_int_equal(add(p, "shop", DAY, 1), -1);
	assert_string_equal(stats_db_error(p->d), "database is locked");
	sqlite3_close(other);
}

static void
test_a_file_that_cannot_grow(void **state)
{
	struct rlimit was, now;
	struct place *p = *state;
	int r = 0;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	now = was;
	now.rlim_cur = 65536;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &now), 0);
	for (uint64_t i = 1; i < 2000 && r == 0; i++) {
		r = add(p, "shop", DAY + i * 60, i);
		if (r == 0)
			r = stats_db_commit(p->d, DAY);
	}
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
	assert_int_equal(r, -1);
	assert_true(*stats_db_error(p->d) != '\0');
}

static void
test_a_damaged_file(void **state)
{
	struct place *p = *state;
	char *why;
	FILE *f;

	stats_db_close(p->d);
	f = fopen(p->path, "w");
	for (int i = 0; i < 1000; i++)
		fputs("no SQLite ", f);
	fclose(f);
	for (int write = 0; write < 2; write++) {
		p->d = stats_db_open(p->path, write == 1, &why);
		assert_null(p->d);
		assert_non_null(strstr(why, "damaged or not an SQLite file"));
		free(why);
	}
}

static void
test_a_file_of_an_earlier_version(void **state)
{
	static const char old[] =
	    "DROP TABLE periods;"
	    "CREATE TABLE periods (step INTEGER NOT NULL,"
	    " time INTEGER NOT NULL, app TEXT NOT NULL,"
	    " published INTEGER NOT NULL, seconds INTEGER NOT NULL,"
	    " PRIMARY KEY (step, time, app)) STRICT, WITHOUT ROWID;"
	    "CREATE INDEX by_app ON periods (app, step, time);"
	    "INSERT INTO periods VALUES (60, 1728000000, 'shop', 7, 60);"
	    "PRAGMA user_version = 1";
	struct place *p = *state;
	struct seen s;
	sqlite3 *db;
	char *why;

	stats_db_close(p->d);
	assert_int_equal(sqlite3_open(p->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, old, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	p->d = stats_db_open(p->path, false, &why);
	assert_null(p->d);
	assert_non_null(strstr(why, "of an earlier version of pusherd"));
	free(why);
	p->d = stats_db_open(p->path, true, &why);
	assert_non_null(p->d);
	assert_int_equal(add(p, "shop", DAY, 1), 0);
	assert_int_equal(stats_db_commit(p->d, DAY), 0);
	s = look(p, "shop", 60);
	assert_int_equal(s.n, 1);
	assert_int_equal(s.last.published, 17);
	assert_int_equal(s.last.confirmed_16, 0);
	assert_true(stats_db_knows(p->d, S("shop")));
	assert_false(stats_db_knows(p->d, S("sho")));
	assert_int_equal(sqlite3_open(p->path, &db), SQLITE_OK);
	assert_int_not_equal(
	    sqlite3_exec(db, "DROP INDEX by_app", NULL, NULL, NULL), SQLITE_OK);
	assert_non_null(strstr(sqlite3_errmsg(db), "no such index"));
	sqlite3_close(db);
}

/* Periods are found by the primary key, and only those that were asked for. */
static void
test_from_and_to(void **state)
{
	struct place *p = *state;
	struct stats_db_query q = { .app = S("shop"),
		.step = 3600,
		.from = DAY + 3600,
		.to = DAY + 5400 };
	struct seen s = { .n = 0 };

	for (unsigned i = 0; i < 240; i++) {
		assert_int_equal(add(p, "", DAY + i * 60, ++p->seq), 0);
		assert_int_equal(add(p, "zoo", DAY + i * 60, ++p->seq), 0);
		if (i / 60 != 2)
			assert_int_equal(
			    add(p, "shop", DAY + i * 60, ++p->seq), 0);
	}
	assert_int_equal(stats_db_commit(p->d, DAY + 14400), 0);
	assert_int_equal(stats_db_each(p->d, &q, see, &s), 0);
	assert_int_equal(s.n, 1);
	assert_int_equal(s.time, DAY + 3600);
	q.step = 60;
	s.n = 0;
	assert_int_equal(stats_db_each(p->d, &q, see, &s), 0);
	assert_int_equal(s.n, 30);
	assert_int_equal(s.time, DAY + 5340);
	assert_int_equal(s.counted, 60);
	q.step = 86400;
	q.from = q.to = 0;
	s.n = 0;
	assert_int_equal(stats_db_each(p->d, &q, see, &s), 0);
	assert_int_equal(s.n, 1);
	assert_int_equal(s.last.seconds, 10800);
	assert_int_equal(s.counted, 14400);
	q.from = DAY + 86400;
	s.n = 0;
	assert_int_equal(stats_db_each(p->d, &q, see, &s), 0);
	assert_int_equal(s.n, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    test_minutes_become_hours_and_days, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_a_repeated_minute_counts_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_old_rows_go, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_a_clock_that_jumps, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_a_locked_file, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_a_file_that_cannot_grow, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_a_damaged_file, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_a_file_of_an_earlier_version, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_from_and_to, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
