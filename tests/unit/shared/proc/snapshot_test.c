/* SPDX-License-Identifier: MIT */
/* snapshot_test.c: bytes that outlive a process, and that nothing is left of.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/proc/snapshot.h"

static void
expect(const struct snapshot *r, struct str want)
{
	struct str got = snapshot_get(r);

	assert_int_equal(got.n, want.n);
	assert_true(str_eq(got, want));
}

static void
the_last_bytes_count(void **state)
{
	struct snapshot *r = snapshot_map();
	const char *first;
	char *large;

	(void)state;
	assert_non_null(r);
	expect(r, S(""));
	snapshot_put(r, S("secret one"));
	expect(r, S("secret one"));
	first = snapshot_get(r).p;
	snapshot_put(r, S("two"));
	expect(r, S("two"));
	for (int i = 0; i < 10; i++)
		assert_int_equal(first[i], 0); /* wiped */
	large = calloc(1, SNAPSHOT_MAX + 1);
	assert_non_null(large);
	snapshot_put(r, str_make(large, SNAPSHOT_MAX));
	assert_int_equal(snapshot_get(r).n, SNAPSHOT_MAX);
	snapshot_put(r, str_make(large, SNAPSHOT_MAX + 1));
	expect(r, S(""));
	snapshot_put(r, S("x"));
	snapshot_put(r, str_make(NULL, 0));
	expect(r, S(""));
	free(large);
	snapshot_unmap(r);
	snapshot_put(NULL, S("x"));
	expect(NULL, S(""));
}

/* Killed at any instruction: the bytes are of one kind. */
static void
a_killed_writer_leaves_whole_bytes(void **state)
{
	static char a[100000], b[50000];
	struct snapshot *r = snapshot_map();

	(void)state;
	memset(a, 'a', sizeof(a));
	memset(b, 'b', sizeof(b));
	snapshot_put(r, str_make(a, sizeof(a)));
	for (int i = 0; i < 50; i++) {
		struct str got;
		pid_t pid = fork();

		for (; pid == 0;) {
			snapshot_put(r, str_make(b, sizeof(b)));
			snapshot_put(r, str_make(a, sizeof(a)));
		}
		usleep(500 + 37 * (unsigned)i);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		got = snapshot_get(r);
		assert_true(str_eq(got, str_make(a, sizeof(a))) ||
		    str_eq(got, str_make(b, sizeof(b))));
	}
	snapshot_unmap(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_bytes_count),
		cmocka_unit_test(a_killed_writer_leaves_whole_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
