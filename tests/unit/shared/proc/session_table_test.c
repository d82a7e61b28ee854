/* SPDX-License-Identifier: MIT */
/* session_table.c: what the next master knows of the sessions. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/base/base.h"
#include "shared/proc/session_table.h"

#define ROWS 4

struct place {
	char dir[32], database[64], files[2][96];
	struct session_table *t;
};

/* A master starts. */
static void
start(struct place *p)
{
	p->t = session_table_map(ROWS);
	assert_non_null(p->t);
	session_table_load(p->t, p->dir, p->database);
}

static void
stop(struct place *p)
{
	session_table_save(p->t, p->dir, p->database);
}

static int
set_up(void **state)
{
	static struct place p;

	memcpy(p.dir, "/tmp/sesstab-XXXXXX", 20);
	assert_non_null(mkdtemp(p.dir));
	snprintf(p.database, sizeof(p.database), "%s/apps.db", p.dir);
	snprintf(p.files[0], sizeof(p.files[0]), "%s/resume-sessions", p.dir);
	snprintf(
	    p.files[1], sizeof(p.files[1]), "%s-resume-sessions", p.database);
	start(&p);
	*state = &p;
	return 0;
}

static int
tear_down(void **state)
{
	struct place *p = *state;

	for (size_t i = 0; i < nitems(p->files); i++)
		unlink(p->files[i]);
	return rmdir(p->dir);
}

static void
add(struct session_table *t, const char *id, uint64_t acked)
{
	struct session_id packed = session_id_pack(str_of(id));
	struct session_row *row = &t->rows[t->used++];

	*row = (struct session_row){
		.acked = acked, .state = SESSION_DETACHED, .app = 1
	};
	session_row_set_id(t, row, &packed);
}

static const char *const ids[] = { "sixteen-letters_",
	"0123abcd-4567-89ef-0000-ffffffffffff",
	"an-id-of-64-characters-0123456789-0123456789-0123456789-01234567" };

static void
sessions_come_back_after_a_stop(void **state)
{
	struct place *p = *state;
	char text[SESSION_ID_MAX];

	assert_false(session_table_lost_lately(p->t));
	for (unsigned i = 0; i < nitems(ids); i++)
		add(p->t, ids[i], i + 7);
	session_row_more(p->t, &p->t->rows[1])->sids[0] = 5;
	stop(p);
	unlink(p->files[0]); /* after a reboot */
	start(p);
	assert_int_equal(p->t->used, nitems(ids));
	for (unsigned i = 0; i < nitems(ids); i++) {
		struct session_id id = session_row_id(p->t, &p->t->rows[i]);

		assert_true(str_eq(session_id_text(&id, text), str_of(ids[i])));
		assert_int_equal(p->t->rows[i].acked, i + 7);
	}
	assert_int_equal(session_row_more(p->t, &p->t->rows[1])->sids[0], 5);
	assert_false(session_table_lost_lately(p->t));
}

/* Without a stop, then with some. */
static void
a_loss_is_known_over_further_stops(void **state)
{
	struct place *p = *state;

	add(p->t, ids[0], 7);
	start(p);
	assert_int_equal(p->t->used, 0);
	assert_true(session_table_lost_lately(p->t));
	stop(p);
	start(p);
	assert_true(session_table_lost_lately(p->t));
	add(p->t, ids[1], 7);
	stop(p);
	start(p);
	assert_int_equal(p->t->used, 1);
	assert_true(session_table_lost_lately(p->t));
	p->t->lost_until = 1; /* long ago */
	stop(p);
	start(p);
	assert_int_equal(p->t->used, 1);
	assert_false(session_table_lost_lately(p->t));
}

#define SECOND INT64_C(1000)
#define DAY (86400 * SECOND)

/* The file was written so many ms later, by each clock. */
static void
written_later(const struct place *p, int64_t up_ms, int64_t wall_ms)
{
	int64_t at[2];
	FILE *f = fopen(p->files[0], "r+e");
	long where = 32; /* behind lost in struct file_head */

	assert_non_null(f);
	assert_int_equal(fseek(f, where, SEEK_SET), 0);
	assert_int_equal(fread(at, sizeof(at), 1, f), 1);
	at[0] += up_ms;
	at[1] += wall_ms;
	assert_int_equal(fseek(f, where, SEEK_SET), 0);
	assert_int_equal(fwrite(at, sizeof(at), 1, f), 1);
	assert_int_equal(fclose(f), 0);
}

static void
the_time_of_a_stop_counts_however_the_clocks_stand(void **state)
{
	static const struct {
		int64_t up_ms, wall_ms;
		uint32_t passed; /* seconds */
	} cases[] = {
		{ 0, 0, 0 },
		/* It takes 5 s, and the wall clock is put by a day. */
		{ -5 * SECOND, -5 * SECOND, 5 },
		{ -5 * SECOND, -DAY, 5 },
		{ -5 * SECOND, DAY, 0 },
		/* The machine was up for longer before it began anew. */
		{ DAY, -9 * SECOND, 9 },
		{ DAY, -90 * SECOND, 90 },
		{ DAY, DAY, 0 },
	};
	struct place *p = *state;

	for (size_t i = 0; i < nitems(cases); i++) {
		uint32_t away;

		p->t->used = 0;
		add(p->t, ids[0], 7);
		p->t->rows[0].since =
		    (uint32_t)(session_now() - 3 + cases[i].up_ms / SECOND);
		stop(p);
		written_later(p, cases[i].up_ms, cases[i].wall_ms);
		start(p);
		away = session_now() - p->t->rows[0].since;
		assert_in_range(away, cases[i].passed + 3, cases[i].passed + 5);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    sessions_come_back_after_a_stop, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    a_loss_is_known_over_further_stops, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    the_time_of_a_stop_counts_however_the_clocks_stand, set_up,
		    tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
