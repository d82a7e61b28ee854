/* SPDX-License-Identifier: MIT */
/* app_log.c and ring.c: wrapping, chains, files that are found again. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "broker/log/app_log.h"
#include "broker/log/past.h"
#include "shared/base/buf.h"
#include "shared/base/hash.h"
#include "shared/base/log.h"
#include "shared/base/xmalloc.h"
#include "shared/json/json_write.h"

#define BYTES 65536

struct place {
	char dir[64];
	struct app_logs logs;
};

static int
setup(void **state)
{
	struct place *p = xcalloc(1, sizeof(*p));

	strcpy(p->dir, "/tmp/pusherd-log-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	app_logs_init(&p->logs, p->dir, NULL);
	*state = p;
	return 0;
}

static int
teardown(void **state)
{
	struct place *p = *state;
	char *path = xasprintf("%s/resume-1.log", p->dir);

	app_logs_clear(&p->logs);
	unlink(path);
	assert_int_equal(rmdir(p->dir), 0);
	free(path);
	free(p);
	return 0;
}

static struct app_log *
open_log(struct place *p, uint64_t bytes)
{
	struct app_log *l = app_logs_open(&p->logs, 1, S("app"), bytes);

	assert_non_null(l);
	return l;
}

static struct app_log *
open_again(struct place *p, uint64_t bytes)
{
	app_logs_clear(&p->logs);
	app_logs_init(&p->logs, p->dir, NULL);
	return open_log(p, bytes);
}

static uint64_t
add(struct app_log *l, const char *channel, uint64_t seq, size_t n)
{
	static char frame[BYTES];
	struct ring_record r = { .origin = 7,
		.seq = seq,
		.except = seq,
		.channel = str_of(channel),
		.frame = { frame, n } };

	memset(frame, (int)('a' + seq % 26), n);
	return app_log_append(l, &r);
}

/* How many records of the channel are after pos; -1: not known. */
static int
count(const struct app_log *l, const char *channel, uint64_t pos)
{
	const struct app_log_limits limits = { 100000, BYTES, NULL, 0 };
	struct app_log_part part;
	enum app_log_result r =
	    app_log_since(l, str_of(channel), pos, &limits, &part);
	int n = (int)part.n;

	free(part.offs);
	return r == APP_LOG_OK ? n : -1;
}

static void
numbers_follow_each_other(void **state)
{
	struct app_log *l = open_log(*state, BYTES);
	uint64_t own[] = { 2 };
	const struct app_log_limits limits = { 2, BYTES, NULL, 0 },
				    mine = { 2, BYTES, own, 1 };
	struct app_log_part part;

	assert_int_equal(ring_last(l->ring), 1);
	assert_int_equal(count(l, "a", 1), 0);
	assert_int_equal(add(l, "a", 1, 10), 2);
	assert_int_equal(add(l, "b", 2, 10), 3);
	assert_int_equal(add(l, "a", 2, 0), 4);
	assert_int_equal(count(l, "a", 1), 2);
	assert_int_equal(count(l, "a", 2), 1);
	assert_int_equal(count(l, "a", 4), 0);
	assert_int_equal(count(l, "c", 1), 0);
	assert_int_equal(app_log_since(l, S("a"), 1, &mine, &part), APP_LOG_OK);
	assert_int_equal(part.n, 1);
	free(part.offs);
	add(l, "a", 3, 10);
	assert_int_equal(
	    app_log_since(l, S("a"), 1, &limits, &part), APP_LOG_TOO_MANY);
	free(part.offs);
}

static void
the_ring_wraps(void **state)
{
	struct place *p = *state;
	struct app_log *l = open_log(p, BYTES);
	uint64_t last = 0;

	add(l, "quiet", 1, 10);
	for (uint64_t i = 2; i < 5000; i++) {
		last = add(l, i % 3 == 0 ? "a" : "b", i, i * 37 % 900);
		if (i % 500 == 0)
			l = open_again(p, BYTES);
		assert_true(ring_used(l->ring) <= BYTES);
		assert_int_equal(ring_last(l->ring), last);
		assert_int_equal(count(l, "a", last), 0);
	}
	/* The only event of this channel has left; who has it is told so. */
	assert_int_equal(count(l, "quiet", 1), -1);
	assert_int_equal(count(l, "quiet", last), 0);
	assert_int_equal(count(l, "a", 2), -1);
	assert_int_equal(count(l, "a", last - 9) + count(l, "b", last - 9), 9);
}

static uint64_t
add_at(struct app_logs *s, struct app_log *l, uint64_t n, uint64_t i)
{
	struct ring_record r = { .channel = S("a"), .frame = S("x") };

	app_logs_set_place(s, n, i);
	r.pos = s->place;
	return app_log_append(l, &r);
}

static void
hosts_of_a_cluster_share_numbers(void **state)
{
	struct place *p = *state, *q;
	struct app_log *l = open_log(p, BYTES), *m;
	uint64_t first, number, epoch;
	void *other;

	add(l, "a", 1, 10); /* from before it joined */
	app_logs_end_entry(&p->logs, 7);
	app_logs_share(&p->logs, 99, false);
	assert_int_equal(count(l, "a", ring_last(l->ring) - 1), -1);
	assert_int_equal(count(l, "a", ring_last(l->ring)), 0);
	setup(&other); /* this one joins later */
	q = other;
	app_logs_end_entry(&q->logs, 8);
	app_logs_share(&q->logs, 99, false);
	m = open_log(q, 2 * BYTES);
	epoch = ring_epoch(l->ring);
	assert_int_equal(ring_epoch(m->ring), epoch);
	assert_int_equal(app_log_hash(l, S("a")), app_log_hash(m, S("a")));

	first = add_at(&p->logs, l, 8, 1);
	/* Answers of one host alone. */
	number = app_logs_number(&p->logs, l);
	app_logs_end_entry(&p->logs, 8);
	for (int i = 0; i < 3; i++) {
		assert_true(app_logs_number(&p->logs, l) > number);
		number = ring_last(l->ring);
	}
	assert_int_equal(add_at(&p->logs, l, 9, 2), add_at(&q->logs, m, 9, 2));
	assert_true(ring_last(l->ring) > number);
	assert_int_equal(count(l, "a", first), 1);
	assert_int_equal(count(m, "a", first), -1);
	assert_int_equal(count(m, "a", number), -1);
	assert_int_equal(app_logs_newest(&p->logs), 9);

	/* A successor goes on; events that it has missed end the log. */
	l = open_again(p, 2 * BYTES);
	app_logs_end_entry(&p->logs, 9);
	app_logs_share(&p->logs, 99, false);
	assert_int_equal(count(l, "a", first), 1);
	app_logs_end_entry(&p->logs, 12);
	app_logs_share(&p->logs, 99, true);
	assert_int_equal(ring_epoch(l->ring), epoch);
	assert_int_equal(count(l, "a", first), -1);
	/* Redis has lost entries. */
	app_logs_share(&p->logs, 98, false);
	assert_int_not_equal(ring_epoch(l->ring), epoch);

	/* A host without a cluster counts for itself. */
	app_logs_clear(&q->logs);
	app_logs_init(&q->logs, q->dir, NULL);
	q->logs.alone = true;
	q->logs.shared = q->logs.place = 0;
	m = open_log(q, BYTES);
	assert_int_not_equal(ring_epoch(m->ring), epoch);
	assert_int_equal(add(m, "a", 1, 10), 2);
	teardown(&other);
}

static void
a_record_that_is_too_large_leaves_a_gap(void **state)
{
	struct app_log *l = open_log(*state, BYTES);

	add(l, "a", 1, 10);
	assert_int_equal(add(l, "a", 2, BYTES / 2), 3);
	assert_int_equal(count(l, "a", 2), -1);
	assert_int_equal(count(l, "a", 3), 0);
	assert_int_equal(add(l, "a", 3, 10), 4);
	assert_int_equal(count(l, "a", 3), 1);
}

static void
a_logged_event_is_found_again(void **state)
{
	struct place *p = *state;
	struct app_log *l = open_log(p, BYTES);
	uint64_t epoch = ring_epoch(l->ring);

	for (uint64_t i = 1; i <= 50; i++)
		add(l, "a", i, 100);
	l = open_again(p, BYTES);
	assert_int_equal(ring_epoch(l->ring), epoch);
	assert_int_equal(app_log_logged(l, 7, 50), 51);
	assert_int_equal(app_log_logged(l, 7, 51), 0);
	assert_int_equal(app_log_logged(l, 8, 50), 0);
	app_logs_forget(&p->logs);
	assert_int_equal(app_log_logged(l, 7, 50), 0);
	assert_int_equal(count(l, "a", 1), 50);
}

/* Of another size: the newest stay, with their numbers and chains. */
static void
another_size_keeps_what_fits(void **state)
{
	struct place *p = *state;
	struct app_log *l = open_log(p, BYTES);
	uint64_t epoch = ring_epoch(l->ring), last = 0;

	for (uint64_t i = 1; i <= 300; i++)
		last = add(l, i % 2 ? "a" : "b", i, 100);
	l = open_log(p, BYTES / 4);
	assert_int_equal(ring_epoch(l->ring), epoch);
	assert_int_equal(ring_last(l->ring), last);
	assert_int_equal(count(l, "a", last - 10), 5);
	assert_int_equal(count(l, "a", 1), -1);
	l = open_log(p, 4 * BYTES);
	assert_int_equal(ring_epoch(l->ring), epoch);
	assert_int_equal(count(l, "b", last - 10), 5);
	assert_int_equal(add(l, "a", 301, 10), last + 1);
}

/* For each wrong byte, the file is replaced, or it does not matter. */
static void
a_damaged_file_is_replaced(void **state)
{
	struct place *p = *state;
	char *path = xasprintf("%s/resume-1.log", p->dir);
	unsigned replaced = 0;

	for (long at = 0; at < 8192; at += at < 64 ? 1 : 61) {
		struct app_log *l = open_log(p, BYTES);
		uint64_t epoch = ring_epoch(l->ring);
		FILE *f;
		int ch;

		for (uint64_t i = 1; i <= 60; i++)
			add(l, "a", i, 100);
		app_logs_clear(&p->logs);
		f = fopen(path, "r+");
		assert_non_null(f);
		fseek(f, at, SEEK_SET);
		ch = fgetc(f);
		fseek(f, at, SEEK_SET);
		fputc(ch ^ 0x15, f);
		fclose(f);
		app_logs_init(&p->logs, p->dir, NULL);
		l = open_log(p, BYTES);
		replaced += ring_epoch(l->ring) != epoch;
		add(l, "a", 1, 100);
		assert_true(count(l, "a", ring_last(l->ring) - 1) == 1);
	}
	assert_true(replaced > 100);
	free(path);
}

static void
without_a_file_it_is_memory(void **state)
{
	struct place *p = *state;
	struct app_log *l;

	assert_int_equal(chmod(p->dir, 0500), 0);
	l = open_log(p, BYTES); /* root may write all the same */
	assert_int_equal(add(l, "a", 1, 10), 2);
	assert_int_equal(count(l, "a", 1), 1);
	assert_int_equal(chmod(p->dir, 0700), 0);
}

/* The id of an event, as applications see it. */
static struct buf *
event_id(const struct app_log *l, uint64_t pos)
{
	struct json_writer w;

	json_writer_init(&w);
	json_object_open(&w);
	past_put_id(l, pos, &w);
	json_object_close(&w);
	return json_writer_take(&w);
}

/* An app that knows the epoch knows the hashes of all channels. */
static void
ids_of_events_hide_the_epoch(void **state)
{
	struct place *p = *state;
	struct app_log *l = open_log(p, BYTES);
	uint64_t pos = add(l, "a", 1, 10);
	struct buf *id = event_id(l, pos), *again, *open = NULL;

	buf_printf(&open, "{\"event_id\":\"%016llx-%llu\"}",
	    (unsigned long long)ring_epoch(l->ring), (unsigned long long)pos);
	assert_int_equal(id->len, open->len);
	assert_false(str_eq(buf_str(id), buf_str(open)));
	l = open_again(p, BYTES);
	again = event_id(l, pos);
	assert_true(str_eq(buf_str(id), buf_str(again)));
	buf_unref(id);
	buf_unref(again);
	buf_unref(open);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(numbers_follow_each_other),
		TEST(the_ring_wraps),
		TEST(hosts_of_a_cluster_share_numbers),
		TEST(a_record_that_is_too_large_leaves_a_gap),
		TEST(a_logged_event_is_found_again),
		TEST(another_size_keeps_what_fits),
		TEST(a_damaged_file_is_replaced),
		TEST(without_a_file_it_is_memory),
		TEST(ids_of_events_hide_the_epoch),
	};

	hash_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
