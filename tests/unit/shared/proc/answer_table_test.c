/* SPDX-License-Identifier: MIT */
/* answer_table_test.c: answers that outlive the process that has stored them.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/base/base.h"
#include "shared/base/buf.h"
#include "shared/proc/answer_table.h"

#define LONG_BYTES 5000

/* Of each length, and known by its key: the letter is that of the length. */
static struct answer
answer_of(unsigned i, char text[LONG_BYTES])
{
	size_t n = i * 37 % LONG_BYTES;

	memset(text, 'a' + (int)(n % 26), n);
	return (struct answer){ .owner = i + 1,
		.at = i,
		.app = i + 2,
		.status = i + 3,
		.provisional = i % 2 == 1,
		.key = str_make(text, MIN(n, 255)),
		.body = str_make(text, n) };
}

static void
expect(const struct answer_table *t, uint32_t row, unsigned i)
{
	char text[LONG_BYTES];
	struct answer want = answer_of(i, text), got;
	struct buf *bytes = NULL;

	got = answer_table_get(t, row, &bytes);
	assert_true(got.owner == want.owner && got.at == want.at);
	assert_true(got.app == want.app && got.status == want.status);
	assert_int_equal(got.provisional, want.provisional);
	assert_true(str_eq(got.key, want.key) && str_eq(got.body, want.body));
	buf_unref(bytes);
}

static void
the_next_process_finds_them(void **state)
{
	enum { N = 1000 };
	struct answer_table *t = answer_table_map();
	struct answer_row *rows;
	char text[LONG_BYTES];
	uint32_t at[N];
	size_t n;

	(void)state;
	assert_non_null(t);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < N; i++) {
			struct answer a = answer_of(N - 1 - i, text);

			at[N - 1 - i] = answer_table_put(t, &a);
			assert_int_not_equal(at[N - 1 - i], ANSWER_NONE);
		}
		for (unsigned i = 0; i < N; i += 3)
			answer_table_drop(t, at[i]);
		rows = answer_table_rows(t, &n);
		assert_int_equal(n, N - (N + 2) / 3);
		for (unsigned i = 0, k = 0; i < n; i++, k++) {
			k += k % 3 == 0;
			expect(t, rows[i].row, k);
			answer_table_drop(t, rows[i].row);
		}
		free(rows);
		rows = answer_table_rows(t, &n);
		assert_int_equal(n, 0);
		free(rows);
	}
	assert_null(answer_table_rows(NULL, &n));
	assert_int_equal(
	    answer_table_put(NULL, &(struct answer){ 0 }), ANSWER_NONE);
	answer_table_drop(NULL, 7);
	answer_table_drop(t, ANSWER_NONE);
}

/* As many and as long as is promised; what is beyond is refused. */
static void
there_is_room_for_all(void **state)
{
	struct answer_table *t = answer_table_map();
	char text[ANSWERS_BYTES / ANSWERS_MAX];
	struct answer a = { .status = 200,
		.body = str_make(text, sizeof(text)) };
	uint32_t row = 0, refused = 0, first = 0;

	(void)state;
	memset(text, 'x', sizeof(text));
	for (unsigned i = 0; i < ANSWERS_MAX; i++) {
		row = answer_table_put(t, &a);
		assert_int_not_equal(row, ANSWER_NONE);
		first = i == 0 ? row : first;
	}
	for (unsigned i = 0; i < ANSWERS_MAX; i++)
		refused += answer_table_put(t, &a) == ANSWER_NONE;
	assert_true(refused > 0);
	assert_int_equal(answer_table_put(t, &a), ANSWER_NONE);
	answer_table_drop(t, first);
	assert_int_not_equal(answer_table_put(t, &a), ANSWER_NONE);
}

/* Stores and drops until it is killed; `kept` stay where they are. */
static void
churn(struct answer_table *t)
{
	char text[LONG_BYTES];
	uint32_t rows[16];

	for (unsigned i = 0; i < 16; i++)
		rows[i] = ANSWER_NONE;
	for (unsigned i = 0;; i++) {
		struct answer a = answer_of(100 + i % 500, text);

		answer_table_drop(t, rows[i % 16]);
		rows[i % 16] = answer_table_put(t, &a);
	}
}

/* Killed at any instruction: all that is found is whole, and nothing leaks. */
static void
a_killed_writer_leaves_whole_answers(void **state)
{
	struct answer_table *t = answer_table_map();
	char text[LONG_BYTES];
	struct answer kept = answer_of(50, text);
	struct answer_row *rows;
	struct buf *bytes = NULL;
	size_t n;

	(void)state;
	answer_table_put(t, &kept);
	for (int round = 0; round < 100; round++) {
		pid_t pid = fork();

		if (pid == 0)
			churn(t);
		usleep(300 + 37 * (unsigned)round);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		rows = answer_table_rows(t, &n);
		assert_in_range(n, 1, 17);
		expect(t, rows[0].row, 50);
		for (size_t i = 1; i < n; i++) {
			struct answer a =
			    answer_table_get(t, rows[i].row, &bytes);

			expect(t, rows[i].row, a.app - 2);
			answer_table_drop(t, rows[i].row);
		}
		free(rows);
	}
	buf_unref(bytes);
}

/* The link behind a block of a table in which nothing was dropped. */
static uint32_t *
link_of(struct answer_table *t, uint32_t i)
{
	return (uint32_t *)(void *)((char *)t + 12 + i * 128 + 4);
}

/* One long answer, whose chain breaks off at its end: all of it is free. */
static void
a_damaged_chain_is_free(void **state)
{
	uint32_t last = (ANSWERS_BYTES + 40) / 120;
	char *text = calloc(1, ANSWERS_BYTES);
	struct answer a = { .status = 200,
		.body = str_make(text, ANSWERS_BYTES) };
	uint32_t bad[] = { UINT32_MAX, 0, 7, last - 1 };
	size_t n;

	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i < nitems(bad); i++) {
		struct answer_table *t = answer_table_map();

		assert_non_null(t);
		assert_int_equal(answer_table_put(t, &a), 0);
		assert_int_equal(*link_of(t, last - 2), last - 1);
		*link_of(t, last - 1) = bad[i];
		free(answer_table_rows(t, &n));
		assert_int_equal(n, 0);
		assert_int_not_equal(answer_table_put(t, &a), ANSWER_NONE);
	}
	free(text);
}

/* Any bytes: what is found can be read, and the rest is free. */
static void
damage_is_not_followed(void **state)
{
	struct answer_table *t = answer_table_map();
	char text[LONG_BYTES], *bytes = (char *)t;
	struct answer_row *rows;
	struct buf *got = NULL;
	size_t n;

	(void)state;
	srandom(7);
	for (int round = 0; round < 300; round++) {
		for (unsigned i = 0; i < 60; i++) {
			struct answer a = answer_of(i, text);

			answer_table_put(t, &a);
		}
		for (int i = 0; i < 200; i++)
			bytes[random() % 20000] = (char)random();
		rows = answer_table_rows(t, &n);
		for (size_t i = 0; i < n; i++) {
			answer_table_get(t, rows[i].row, &got);
			answer_table_drop(t, rows[i].row);
		}
		free(rows);
	}
	buf_unref(got);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_next_process_finds_them),
		cmocka_unit_test(there_is_room_for_all),
		cmocka_unit_test(a_killed_writer_leaves_whole_answers),
		cmocka_unit_test(a_damaged_chain_is_free),
		cmocka_unit_test(damage_is_not_followed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
