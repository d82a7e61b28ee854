/* SPDX-License-Identifier: MIT */
/*
 * outbox_test.c: rows, states of webhooks, origins; what survives a process
 * that ends without a word, and what does not.
 */

#include <sqlite3.h>
#include <sys/stat.h>

#include "shared/pusher/webhook.h"
#include "tests/unit/shared/app/outbox_place.h"

static struct outbox_row
put(struct place *p, uint32_t endpoint, uint32_t kind, const char *events)
{
	struct outbox_row r = { .endpoint = endpoint,
		.app = 1,
		.kind = kind,
		.queue = OUTBOX_BATCHES,
		.count = 1,
		.time_ms = 1000,
		.next_ms = 1000,
		.until_ms = 5000,
		.channel = S("room"),
		.events = str_of(events) };

	assert_int_equal(outbox_put(p->o, &r), 0);
	return r;
}

struct seen {
	struct outbox_row last;
	unsigned n;
};

static int
see(void *arg, const struct outbox_row *r)
{
	struct seen *s = arg;

	s->last = *r;
	s->n++;
	return 0;
}

static struct seen
look(struct place *p, int state, uint32_t endpoint)
{
	struct outbox_query q = { .state = state, .endpoint = endpoint };
	struct seen s = { .n = 0 };

	assert_int_equal(outbox_each(p->o, &q, see, &s), 0);
	return s;
}

static void
only_what_is_committed_survives(void **state)
{
	struct place *p = *state;
	struct outbox_counts n;
	struct stat st;

	assert_int_equal(stat(p->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	put(p, 1, 0, "{}");
	assert_true(outbox_is_dirty(p->o));
	assert_int_equal(outbox_commit(p->o), 0);
	put(p, 1, 0, "{}");
	reopen(p);
	assert_int_equal(look(p, OUTBOX_WAITING, 0).n, 1);
	outbox_count(p->o, &n);
	assert_int_equal(n.waiting, 1);
	assert_int_equal(n.bytes, 2);
}

static void
a_row_lives(void **state)
{
	struct place *p = *state;
	struct outbox_row r = put(p, 7, 3, "{\"a\":1}"), again;
	char one[OUTBOX_NAME_MAX], two[OUTBOX_NAME_MAX];
	struct buf *events = NULL;
	struct outbox_counts n;
	struct seen s;

	outbox_name(p->o, r.id, one);
	r.events = S("{\"a\":1},{\"b\":2}");
	r.count = 2;
	assert_int_equal(outbox_extend(p->o, &r), 0);
	r.attempts = 1;
	r.status = 500;
	r.answer = S("HTTP 500");
	r.next_ms = 2000;
	assert_int_equal(outbox_failed(p->o, &r), 0);
	assert_int_equal(outbox_commit(p->o), 0);
	reopen(p);
	s = look(p, OUTBOX_WAITING, 7);
	assert_int_equal(s.n, 1);
	assert_int_equal(s.last.attempts, 1);
	assert_int_equal(s.last.status, 500);
	assert_int_equal(s.last.next_ms, 2000);
	assert_int_equal(s.last.count, 2);
	assert_int_equal(s.last.queue, OUTBOX_BATCHES);
	assert_int_equal(s.last.bytes, 15);
	assert_int_equal(outbox_events(p->o, r.id, &events), 1);
	assert_true(str_eq(buf_str(events), S("{\"a\":1},{\"b\":2}")));
	buf_unref(events);
	outbox_name(p->o, r.id, two);
	assert_string_equal(one, two);
	assert_int_equal(outbox_done(p->o, &r), 0);
	events = NULL;
	assert_int_equal(outbox_events(p->o, r.id, &events), 0);
	outbox_count(p->o, &n);
	assert_int_equal(n.waiting, 0);
	again = put(p, 7, 3, "x");
	assert_true(again.id > r.id);
}

static void
dead_rows_come_back_by_hand(void **state)
{
	struct place *p = *state;
	struct outbox_row a = put(p, 1, 0, "a"), b = put(p, 2, 0, "b");
	struct outbox_query q = { .state = -1, .endpoint = 1 };
	struct outbox_counts n;
	struct seen s;

	a.state = b.state = OUTBOX_DEAD;
	a.attempts = b.attempts = 9;
	a.changed_ms = b.changed_ms = 100;
	assert_int_equal(outbox_failed(p->o, &a), 0);
	assert_int_equal(outbox_failed(p->o, &b), 0);
	outbox_count(p->o, &n);
	assert_int_equal(n.dead, 2);
	assert_int_equal(outbox_revive(p->o, &q), 1);
	s = look(p, OUTBOX_WAITING, 0);
	assert_int_equal(s.n, 1);
	assert_int_equal(s.last.id, a.id);
	assert_int_equal(s.last.attempts, 0);
	assert_int_equal(s.last.until_ms, 0);
	assert_int_equal(s.last.time_ms, 1000);
	assert_int_equal(outbox_prune(p->o, 100), 0);
	assert_int_equal(look(p, OUTBOX_DEAD, 0).n, 1);
	assert_int_equal(outbox_prune(p->o, 101), 0);
	assert_int_equal(look(p, OUTBOX_DEAD, 0).n, 0);
}

static void
times_move_to_the_clock_of_the_next_courier(void **state)
{
	struct place *p = *state;
	struct outbox_query q = { .state = -1 };
	uint64_t now = 1000000, hour = 3600000;
	struct outbox_row dead = put(p, 1, 0, "a");
	struct seen s;

	assert_int_equal(outbox_set_clock(p->o, now), 0);
	put(p, 2, 0, "b");
	assert_int_equal(outbox_set_clock(p->o, now), 0);
	assert_int_equal(look(p, OUTBOX_WAITING, 2).last.until_ms, 5000);
	dead.state = OUTBOX_DEAD;
	dead.changed_ms = 900;
	assert_int_equal(outbox_failed(p->o, &dead), 0);
	assert_int_equal(outbox_commit(p->o), 0);
	reopen(p);
	assert_int_equal(outbox_set_clock(p->o, now + hour), 0);
	s = look(p, OUTBOX_WAITING, 2);
	assert_in_range(s.last.until_ms, hour + 4000, hour + 6000);
	assert_in_range(s.last.next_ms, hour, hour + 2000);
	assert_int_equal(s.last.time_ms, 1000);
	assert_in_range(
	    look(p, OUTBOX_DEAD, 1).last.changed_ms, hour, hour + 1000);
	assert_int_equal(outbox_revive(p->o, &q), 1);
	assert_int_equal(outbox_set_clock(p->o, now), 0);
	assert_int_equal(look(p, OUTBOX_WAITING, 1).last.until_ms, 0);
	assert_in_range(look(p, OUTBOX_WAITING, 2).last.until_ms, 3000, 7000);
}

static void
arrived_rows_are_remembered_for_a_while(void **state)
{
	struct place *p = *state;
	struct outbox_counts n;
	struct outbox_row r;

	for (int i = 0; i < OUTBOX_DONE_KEPT + 50; i++) {
		r = put(p, 1, 0, "e");
		assert_int_equal(outbox_done(p->o, &r), 0);
	}
	outbox_count(p->o, &n);
	assert_int_equal(n.done, OUTBOX_DONE_KEPT + 50);
	assert_int_equal(outbox_forget_done(p->o), 0);
	outbox_count(p->o, &n);
	assert_int_equal(n.done, OUTBOX_DONE_KEPT);
	assert_int_equal(n.bytes, 0);
	assert_int_equal(look(p, OUTBOX_DONE, 0).n, OUTBOX_DONE_KEPT);
	assert_int_equal(look(p, OUTBOX_DONE, 0).last.id, r.id);
}

static void
dead_rows_go_first(void **state)
{
	struct place *p = *state;
	struct outbox_row dead = put(p, 1, WEBHOOK_OCCUPIED, "d");
	struct outbox_counts n;

	put(p, 1, WEBHOOK_OCCUPIED, "s");
	put(p, 1, WEBHOOK_CLIENT_EVENT, "c1");
	put(p, 1, WEBHOOK_CLIENT_EVENT, "c2");
	dead.state = OUTBOX_DEAD;
	assert_int_equal(outbox_failed(p->o, &dead), 0);
	assert_int_equal(outbox_shrink(p->o, 1), 1);
	assert_int_equal(look(p, OUTBOX_DEAD, 0).n, 0);
	assert_int_equal(outbox_shrink(p->o, 1), 1);
	outbox_count(p->o, &n);
	assert_int_equal(n.waiting, 2);
	assert_int_equal(n.dead, 0);
	assert_int_equal(n.bytes, 3);
	assert_int_equal(look(p, OUTBOX_WAITING, 0).n, 2);
	assert_int_equal(outbox_shrink(p->o, 10), 1);
	assert_int_equal(outbox_shrink(p->o, 10), 0);
	assert_int_equal(
	    look(p, OUTBOX_WAITING, 0).last.kind, WEBHOOK_OCCUPIED);
}

static int
count_hook_state(void *arg, const struct outbox_hook_state *f)
{
	unsigned *n = arg;

	*n += f->missed ? 100 : 1;
	return 0;
}

static void
states_and_origins(void **state)
{
	struct place *p = *state;
	struct outbox_hook_state channel = { .app = 1,
		.channel = S("presence-x") };
	struct outbox_hook_state user = {
		.app = 1, .channel = S("presence-x"), .user = S("u\0x")
	};
	uint64_t seq, origin = UINT64_MAX - 3;
	unsigned n = 0;

	assert_int_equal(outbox_set_hook_state(p->o, &channel), 0);
	assert_int_equal(outbox_set_hook_state(p->o, &user), 0);
	assert_int_equal(outbox_set_hook_state(p->o, &user), 0);
	channel.missed = true;
	assert_int_equal(outbox_set_hook_state(p->o, &channel), 0);
	assert_int_equal(outbox_set_seq(p->o, origin, 41, 1), 0);
	assert_int_equal(outbox_set_seq(p->o, origin, 42, 1), 0);
	assert_int_equal(outbox_commit(p->o), 0);
	reopen(p);
	assert_int_equal(outbox_each_hook_state(p->o, count_hook_state, &n), 0);
	assert_int_equal(n, 101);
	assert_int_equal(outbox_delete_hook_state(p->o, &user), 0);
	n = 0;
	assert_int_equal(outbox_each_hook_state(p->o, count_hook_state, &n), 0);
	assert_int_equal(n, 100);
	assert_int_equal(outbox_get_seq(p->o, origin, &seq), 0);
	assert_int_equal(seq, 42);
	assert_int_equal(outbox_get_seq(p->o, 5, &seq), 0);
	assert_int_equal(seq, 0);
}

static void
changes_of_others_are_seen(void **state)
{
	struct place *p = *state;
	struct outbox_query q = { .state = -1 };
	struct outbox *other;
	char *why = NULL;

	put(p, 1, 0, "a");
	assert_int_equal(outbox_commit(p->o), 0);
	outbox_has_changed(p->o);
	assert_false(outbox_has_changed(p->o));
	other = outbox_open(p->path, false, &why);
	assert_non_null(other);
	assert_false(outbox_has_changed(p->o));
	assert_int_equal(outbox_delete(other, &q), 1);
	assert_int_equal(outbox_commit(other), 0);
	outbox_close(other);
	assert_true(outbox_has_changed(p->o));
	assert_false(outbox_has_changed(p->o));
}

static void
wrong_files_are_refused(void **state)
{
	struct place *p = *state;
	char *why = NULL, *path = xasprintf("%s/other", p->dir);
	FILE *f;

	assert_null(outbox_open(path, false, &why));
	assert_non_null(strstr(why, "cannot use the outbox"));
	free(why);
	f = fopen(path, "w");
	assert_non_null(f);
	for (int i = 0; i < 200; i++)
		fputs("this is no database\n", f);
	fclose(f);
	chmod(path, 0644);
	assert_null(outbox_open(path, false, &why));
	assert_non_null(strstr(why, "chmod 600"));
	free(why);
	chmod(path, 0600);
	assert_null(outbox_open(path, true, &why));
	free(why);
	unlink(path);
	free(path);
}

static void
a_newer_file_is_left_alone(void **state)
{
	struct place *p = *state;
	char *why = NULL;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(p->path, &db), SQLITE_OK);
	assert_int_equal(
	    sqlite3_exec(db, "PRAGMA user_version = 99", NULL, NULL, NULL),
	    SQLITE_OK);
	sqlite3_close(db);
	assert_null(outbox_open(p->path, true, &why));
	assert_non_null(strstr(why, "schema 99, this one knows "));
	free(why);
}

/* The first version had eight lanes for channels and one for tests. */
static void
s6_rows_of_the_first_version_get_their_queues(void **state)
{
	struct place *p = *state;
	char *why = NULL;
	struct outbox_hook_state state_of_x = { .app = 1, .channel = S("x") };
	unsigned nstates = 0;
	struct seen s;
	sqlite3 *db;

	assert_int_equal(outbox_set_hook_state(p->o, &state_of_x), 0);
	put(p, 1, 0, "{}");
	put(p, 2, 0, "{},{}");
	put(p, 3, WEBHOOK_TEST, "{}");
	assert_int_equal(outbox_commit(p->o), 0);
	outbox_close(p->o);
	assert_int_equal(sqlite3_open(p->path, &db), SQLITE_OK);
	assert_int_equal(
	    sqlite3_exec(db,
		"DROP INDEX by_drop;"
		"ALTER TABLE requests RENAME COLUMN queue TO lane;"
		"ALTER TABLE requests DROP COLUMN owner;"
		"ALTER TABLE hook_states RENAME TO told;"
		"ALTER TABLE told DROP COLUMN owner; DROP TABLE endpoints;"
		"UPDATE requests SET lane = 5 WHERE endpoint = 1;"
		"UPDATE requests SET lane = 0, count = 2 WHERE endpoint = 2;"
		"UPDATE requests SET lane = 8 WHERE endpoint = 3;"
		"PRAGMA user_version = 1",
		NULL, NULL, NULL),
	    SQLITE_OK);
	sqlite3_close(db);
	p->o = outbox_open(p->path, false, &why);
	if (p->o == NULL)
		fail_msg("%s", why);
	for (uint32_t i = 1; i <= 3; i++) {
		s = look(p, OUTBOX_WAITING, i);
		assert_int_equal(s.n, 1);
		assert_int_equal(s.last.queue,
		    i == 1       ? OUTBOX_CHANNEL
			: i == 2 ? OUTBOX_BATCHES
				 : OUTBOX_TESTS);
	}
	assert_int_equal(
	    outbox_each_hook_state(p->o, count_hook_state, &nstates), 0);
	assert_int_equal(nstates, 1);
}

static void
t8_rows_get_back_the_time_without_descriptors(void **state)
{
	static const uint64_t times[] = { 1000, 5500, 9000 };
	static const uint64_t untils[] = { 4000, 2500, 2000 };
	struct place *p = *state;
	struct outbox_row r = { .endpoint = 1, .until_ms = 2000 };

	r.channel = r.events = r.owner = S("x");
	for (size_t i = 0; i < nitems(times); i++) {
		r.endpoint = (uint32_t)i + 1;
		r.time_ms = times[i];
		assert_int_equal(outbox_put(p->o, &r), 0);
	}
	assert_int_equal(outbox_postpone(p->o, 4000, 6000), 0);
	for (size_t i = 0; i < nitems(times); i++)
		assert_int_equal(
		    look(p, OUTBOX_WAITING, (uint32_t)i + 1).last.until_ms,
		    untils[i]);
}

static void
t2_rows_of_another_database_become_dead_letters(void **state)
{
	struct place *p = *state;
	static const char ours[] = "0123456789abcdef0123456789abcdef";
	struct outbox_row r = { .endpoint = 1, .app = 1, .count = 1 };
	struct seen s;

	r.channel = r.events = S("x");
	r.owner = S("0123456789abcdef0123456789abcdef/1");
	assert_int_equal(outbox_put(p->o, &r), 0);
	r.owner = S("f123456789abcdef0123456789abcdef/1");
	assert_int_equal(outbox_put(p->o, &r), 0);
	r.owner = S("");
	assert_int_equal(outbox_put(p->o, &r), 0);
	r.app = 2;
	assert_int_equal(outbox_put(p->o, &r), 0);
	assert_int_equal(outbox_adopt(p->o, 1, 2, "f/2"), 0);
	s = look(p, OUTBOX_WAITING, 1);
	assert_int_equal(s.n, 4);
	r.endpoint = 2;
	assert_int_equal(outbox_put(p->o, &r), 0);
	assert_int_equal(outbox_disown(p->o, 2, ours, 7), 0);
	assert_int_equal(look(p, -1, 2).n, 0);
	assert_int_equal(outbox_disown(p->o, 1, ours, 7), 3);
	assert_int_equal(look(p, OUTBOX_WAITING, 1).n, 0);
	assert_int_equal(look(p, OUTBOX_DEAD, 1).n, 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(only_what_is_committed_survives),
		TEST(a_row_lives),
		TEST(dead_rows_come_back_by_hand),
		TEST(times_move_to_the_clock_of_the_next_courier),
		TEST(arrived_rows_are_remembered_for_a_while),
		TEST(dead_rows_go_first),
		TEST(states_and_origins),
		TEST(changes_of_others_are_seen),
		TEST(wrong_files_are_refused),
		TEST(a_newer_file_is_left_alone),
		TEST(s6_rows_of_the_first_version_get_their_queues),
		TEST(t8_rows_get_back_the_time_without_descriptors),
		TEST(t2_rows_of_another_database_become_dead_letters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
