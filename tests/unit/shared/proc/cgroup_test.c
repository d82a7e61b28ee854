/* SPDX-License-Identifier: MIT */
/* cgroup_test.c: limits of control groups, read from a tree of files. */

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "shared/proc/cgroup.h"

static char root[] = "/tmp/pusherd-cgroup-XXXXXX";

/* Makes a file below the root, and its directories. */
static void
put(const char *name, const char *text)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s%s", root, name);
	for (char *p = path + sizeof(root); (p = strchr(p, '/')) != NULL; p++) {
		*p = '\0';
		mkdir(path, 0700);
		*p = '/';
	}
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int
setup(void **state)
{
	(void)state;
	strcpy(root + sizeof(root) - 7, "XXXXXX");
	return mkdtemp(root) == NULL;
}

static int
teardown(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", root);
	return system(command);
}

static void
reads(uint64_t memory, unsigned cores)
{
	struct cgroup c = cgroup_read(root);

	assert_int_equal(c.memory, memory);
	assert_int_equal(c.cores, cores);
}

static void
without_files_there_is_no_limit(void **state)
{
	(void)state;
	reads(0, 0);
	put("/proc/self/cgroup", "0::/a/b\n");
	reads(0, 0);
	put("/sys/fs/cgroup/a/memory.max", "max\n");
	put("/sys/fs/cgroup/a/cpu.max", "max 100000\n");
	reads(0, 0);
	put("/sys/fs/cgroup/a/cpu.max", "nonsense\n");
	put("/sys/fs/cgroup/a/b/cpu.max", "");
	put("/sys/fs/cgroup/cpu.max", "100000 0\n");
	reads(0, 0);
	put("/proc/self/cgroup", "nonsense\n7:\n:\n");
	reads(0, 0);
}

static void
a_part_of_a_core_is_a_core(void **state)
{
	static const struct {
		const char *text;
		unsigned cores;
	} table[] = {
		{ "1000 100000\n", 1 },
		{ "100000 100000\n", 1 },
		{ "100001 100000\n", 2 },
		{ "150000 100000\n", 2 },
		{ "200000 100000", 2 },
		{ "6400000 100000\n", 64 },
		{ "18446744073709551615 1\n", UINT_MAX },
	};

	(void)state;
	put("/proc/self/cgroup", "0::/\n");
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		put("/sys/fs/cgroup/cpu.max", table[i].text);
		reads(0, table[i].cores);
	}
}

static void
the_smallest_limit_of_all_groups_around_counts(void **state)
{
	(void)state;
	put("/proc/self/cgroup", "0::/system.slice/pusherd.service\n");
	put("/sys/fs/cgroup/memory.max", "4096\n");
	put("/sys/fs/cgroup/system.slice/memory.max", "1024\n");
	put("/sys/fs/cgroup/system.slice/cpu.max", "800000 100000\n");
	put("/sys/fs/cgroup/system.slice/pusherd.service/memory.max", "2048\n");
	put("/sys/fs/cgroup/system.slice/pusherd.service/cpu.max",
	    "300000 100000\n");
	reads(1024, 3);
}

static void
version_1_has_a_hierarchy_for_each(void **state)
{
	(void)state;
	put("/proc/self/cgroup",
	    "12:cpuset:/other\n5:memory:/docker/1\n4:cpu,cpuacct:/docker/2\n"
	    "0::/\n");
	put("/sys/fs/cgroup/memory/docker/1/memory.limit_in_bytes", "9000\n");
	put("/sys/fs/cgroup/cpu/docker/2/cpu.cfs_quota_us", "-1\n");
	put("/sys/fs/cgroup/cpu/docker/2/cpu.cfs_period_us", "100000\n");
	reads(9000, 0);
	put("/sys/fs/cgroup/cpu/docker/2/cpu.cfs_quota_us", "350000\n");
	reads(9000, 4);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(without_files_there_is_no_limit),
		TEST(a_part_of_a_core_is_a_core),
		TEST(the_smallest_limit_of_all_groups_around_counts),
		TEST(version_1_has_a_hierarchy_for_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
