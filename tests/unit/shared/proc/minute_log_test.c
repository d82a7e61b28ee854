/* SPDX-License-Identifier: MIT */
/*
 * minute_log_test.c: minutes that come back from memory and from a file,
 * whatever was done to the file meanwhile.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/base/base.h"
#include "shared/base/xmalloc.h"
#include "shared/proc/minute_log.h"

#define NOW UINT64_C(1700000040) /* the begin of a minute */

struct place {
	char dir[32], path[64];
	struct minute_log *l;
};

static void
begin(struct place *p)
{
	memcpy(p->dir, "/tmp/minlog-XXXXXX", 19);
	assert_non_null(mkdtemp(p->dir));
	snprintf(p->path, sizeof(p->path), "%s/history", p->dir);
	p->l = minute_log_map();
	assert_non_null(p->l);
}

static void
end(struct place *p)
{
	unlink(p->path);
	assert_int_equal(rmdir(p->dir), 0);
}

static void
put(struct minute_log *l, uint64_t time, uint64_t opened)
{
	minute_log_put(
	    l, &(struct minute_log_row){ .time = time, .opened = opened });
}

static size_t
count(const struct minute_log *l, uint64_t now, uint64_t *first)
{
	struct minute_log_row *v = xcalloc(MINUTE_LOG_ROWS, sizeof(*v));
	size_t n = minute_log_get(l, now, v);

	for (size_t i = 1; i < n; i++)
		assert_true(v[i - 1].time < v[i].time);
	if (n > 0)
		*first = v[0].time;
	free(v);
	return n;
}

static void
a_day_and_no_more(void **state)
{
	struct minute_log *l = minute_log_map();
	uint64_t first = 0;

	(void)state;
	assert_int_equal(count(l, NOW, &first), 0);
	for (unsigned i = 0; i < 2000; i++)
		put(l, NOW + i * 60, i);
	assert_int_equal(count(l, NOW + 1999 * 60, &first), MINUTE_LOG_ROWS);
	assert_int_equal(first, NOW + 560 * 60);
	/* Minutes older than a day, and minutes that are still to come. */
	assert_int_equal(
	    count(l, NOW + 2099 * 60, &first), MINUTE_LOG_ROWS - 100);
	assert_int_equal(
	    count(l, NOW + 1899 * 60, &first), MINUTE_LOG_ROWS - 100);
	assert_int_equal(count(l, NOW + 9999 * 60, &first), 0);
	put(NULL, NOW, 1); /* harmless */
}

static void
a_file_goes_on(void **state)
{
	uint64_t since = 0, first;
	struct place p;
	struct minute_log *other = minute_log_map();
	struct stat st;
	off_t size;

	(void)state;
	begin(&p);
	assert_int_equal(minute_log_load(other, p.path), 0); /* there is none */
	for (unsigned i = 0; i < 10; i++)
		put(p.l, NOW + i * 60, i);
	assert_int_equal(minute_log_save(p.l, p.path, NOW + 540, &since), 0);
	assert_int_equal(since, NOW + 540);
	put(p.l, NOW + 540, 77); /* grows until its minute is over */
	put(p.l, NOW + 600, 78);
	assert_int_equal(minute_log_save(p.l, p.path, NOW + 600, &since), 0);
	assert_int_equal(minute_log_load(other, p.path), 0);
	assert_int_equal(count(other, NOW + 600, &first), 11);
	assert_int_equal(first, NOW);
	for (unsigned i = 0; i < 3000; i++)
		put(p.l, NOW + i * 60, i);
	assert_int_equal(
	    minute_log_save(p.l, p.path, NOW + 2999 * 60, &since), 0);
	assert_int_equal(stat(p.path, &st), 0);
	size = st.st_size;
	assert_true(size <= 256 << 10);
	assert_int_equal(st.st_mode & 0777, 0600);
	/* Somebody has removed it: it is written again, with all there is. */
	assert_int_equal(unlink(p.path), 0);
	assert_int_equal(
	    minute_log_save(p.l, p.path, NOW + 2999 * 60, &since), 0);
	assert_int_equal(stat(p.path, &st), 0);
	assert_int_equal(st.st_size, size);
	end(&p);
}

static void
damage(const char *path, off_t at, size_t n)
{
	char bytes[512];
	int fd = open(path, O_WRONLY | O_CREAT, 0600);

	memset(bytes, 0x5a, sizeof(bytes));
	assert_int_equal(pwrite(fd, bytes, n, at), n);
	close(fd);
}

static void
damaged_rows_are_none(void **state)
{
	uint64_t since = 0, first;
	struct minute_log *other = minute_log_map();
	struct place p;

	(void)state;
	begin(&p);
	for (unsigned i = 0; i < MINUTE_LOG_ROWS; i++)
		put(p.l, NOW + i * 60, i);
	assert_int_equal(
	    minute_log_save(p.l, p.path, NOW + 1439 * 60, &since), 0);
	damage(p.path, 1000, 300);
	assert_int_equal(truncate(p.path, 100000), 0);
	assert_int_equal(minute_log_load(other, p.path), 0);
	assert_in_range(count(other, NOW + 1439 * 60, &first), 500, 800);
	end(&p);
}

static void
files_of_others_stay(void **state)
{
	uint64_t since = 0;
	struct place p;
	struct stat st;

	(void)state;
	begin(&p);
	put(p.l, NOW, 1);
	damage(p.path, 0, 500);
	assert_int_equal(minute_log_load(p.l, p.path), -1);
	assert_int_equal(errno, EILSEQ);
	assert_int_equal(minute_log_save(p.l, p.path, NOW, &since), -1);
	assert_int_equal(errno, EILSEQ);
	assert_int_equal(stat(p.path, &st), 0);
	assert_int_equal(st.st_size, 500);
	/* Another version's file begins anew. */
	unlink(p.path);
	assert_int_equal(minute_log_save(p.l, p.path, NOW, &since), 0);
	damage(p.path, 16, 8);
	assert_int_equal(minute_log_load(p.l, p.path), 0);
	since = NOW + 60;
	assert_int_equal(minute_log_save(p.l, p.path, NOW, &since), 0);
	assert_int_equal(since, NOW);
	unlink(p.path);
	assert_int_equal(mkdir(p.path, 0700), 0);
	assert_int_equal(minute_log_save(p.l, p.path, NOW, &since), -1);
	assert_int_equal(rmdir(p.path), 0);
	end(&p);
}

static void
paths(void **state)
{
	static const char *const rows[][2] = {
		{ "/var/lib/pusherd/outbox.db", "/var/lib/pusherd/history" },
		{ "/outbox.db", "/history" },
		{ "outbox.db", "./history" },
	};

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		char *path = minute_log_path(rows[i][0]);

		assert_string_equal(path, rows[i][1]);
		free(path);
	}
}

static void
sums_and_peaks(void **state)
{
	struct minute_log_row a = {
		.connections = 5, .opened = 1, .seconds = 20, .turn_max_us = 10
	};
	struct minute_log_row b = {
		.connections = 3, .opened = 2, .seconds = 40, .turn_max_us = 12
	};

	(void)state;
	minute_log_add(&a, &b);
	assert_int_equal(a.connections, 5);
	assert_int_equal(a.opened, 3);
	assert_int_equal(a.seconds, 60);
	assert_int_equal(a.turn_max_us, 12);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_day_and_no_more),
		cmocka_unit_test(a_file_goes_on),
		cmocka_unit_test(damaged_rows_are_none),
		cmocka_unit_test(files_of_others_stay),
		cmocka_unit_test(paths),
		cmocka_unit_test(sums_and_peaks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
