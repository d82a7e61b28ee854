/* SPDX-License-Identifier: MIT */
/* outbox_lock_test.c: one holder, whatever becomes of the files. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "broker/courier/outbox_lock.h"
#include "shared/base/xmalloc.h"

struct place {
	char dir[64];
	char *outbox, *lock;
	struct outbox_lock a, b; /* of two couriers */
};

static void
make(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);

	assert_int_not_equal(fd, -1);
	close(fd);
}

static int
setup(void **state)
{
	struct place *p = xcalloc(1, sizeof(*p));

	snprintf(p->dir, sizeof(p->dir), "/tmp/outbox_lock_test.XXXXXX");
	if (mkdtemp(p->dir) == NULL)
		return -1;
	p->outbox = xasprintf("%s/outbox.db", p->dir);
	p->lock = xasprintf("%s.lock", p->outbox);
	outbox_lock_init(&p->a);
	outbox_lock_init(&p->b);
	*state = p;
	return 0;
}

static int
teardown(void **state)
{
	struct place *p = *state;
	int r;

	outbox_lock_drop(&p->a);
	outbox_lock_drop(&p->b);
	unlink(p->outbox);
	unlink(p->lock);
	r = rmdir(p->dir);
	free(p->outbox);
	free(p->lock);
	free(p);
	return r;
}

static void
takes(struct place *p, struct outbox_lock *l)
{
	char *why = NULL;

	if (outbox_lock_take(l, p->outbox, p->dir, &why) == -1)
		fail_msg("%s", why);
}

static void
is_refused(struct place *p, struct outbox_lock *l, const char *words)
{
	char *why = NULL;

	assert_int_equal(outbox_lock_take(l, p->outbox, p->dir, &why), -1);
	if (strstr(why, words) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", words, why);
	free(why);
	assert_int_equal(l->file, -1);
}

static void
the_first_one_has_it(void **state)
{
	struct place *p = *state;

	for (int i = 0; i < 2; i++) { /* without an outbox, and with one */
		takes(p, &p->a);
		takes(p, &p->a);
		is_refused(p, &p->b, p->dir);
		if (i == 0)
			make(p->outbox);
	}
	outbox_lock_drop(&p->a);
	takes(p, &p->b);
	is_refused(p, &p->a, p->dir);
}

static void
also_when_the_lock_file_is_deleted(void **state)
{
	struct place *p = *state;

	make(p->outbox);
	takes(p, &p->a);
	assert_int_equal(unlink(p->lock), 0);
	is_refused(p, &p->b, "its lock file was deleted");
	is_refused(p, &p->b, "its lock file was deleted");
	takes(p, &p->a); /* and makes another one */
	is_refused(p, &p->b, p->dir);
	outbox_lock_drop(&p->a);
	takes(p, &p->b);
}

/* All is deleted, and another one comes before the first one looks. */
static void
the_files_of_today_count(void **state)
{
	struct place *p = *state;

	make(p->outbox);
	takes(p, &p->a);
	assert_int_equal(unlink(p->lock), 0);
	assert_int_equal(unlink(p->outbox), 0);
	takes(p, &p->b);
	make(p->outbox);
	takes(p, &p->b);
	is_refused(p, &p->a, p->dir);
}

/* Another one has the new lock file for a moment, but not the outbox. */
static void
the_outbox_counts_most(void **state)
{
	struct place *p = *state;
	int fd;

	make(p->outbox);
	takes(p, &p->a);
	assert_int_equal(unlink(p->lock), 0);
	make(p->lock);
	fd = open(p->lock, O_RDWR);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
	takes(p, &p->a);
	close(fd);
	takes(p, &p->a);
	is_refused(p, &p->b, p->dir);
}

static void
a_new_outbox_is_locked_too(void **state)
{
	struct place *p = *state;

	make(p->outbox);
	takes(p, &p->a);
	assert_int_equal(unlink(p->outbox), 0);
	make(p->outbox);
	takes(p, &p->a);
	assert_int_equal(unlink(p->lock), 0);
	is_refused(p, &p->b, "its lock file was deleted");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_first_one_has_it),
		TEST(also_when_the_lock_file_is_deleted),
		TEST(the_files_of_today_count),
		TEST(the_outbox_counts_most),
		TEST(a_new_outbox_is_locked_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
