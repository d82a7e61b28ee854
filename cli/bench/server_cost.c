/* SPDX-License-Identifier: MIT */
/*
 * server_cost.c: the cost of a server's processes: CPU time, context switches
 * and memory of one process and its descendants, from /proc.  Memory is the
 * proportional set size, so that pages shared after a fork are not counted
 * twice.
 */

#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/bench/bench.h"
#include "shared/base/base.h"
#include "shared/base/str.h"

#define DEPTH 16 /* of a tree of processes */

struct stat_line {
	pid_t parent;
	uint64_t ticks; /* utime + stime */
};

/* Reads a small file of /proc into text[cap]; an empty view when it cannot. */
static struct str
read_proc(pid_t pid, const char *name, char *text, size_t cap)
{
	char path[64];
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	if ((f = fopen(path, "re")) == NULL)
		return str_make(text, 0);
	n = fread(text, 1, cap, f);
	fclose(f);
	return str_make(text, n);
}

/*
 * /proc/<pid>/stat (proc(5)): behind the name in brackets, which may hold
 * anything, field 2 is the parent, 12 and 13 are the times.
 */
static bool
read_stat(pid_t pid, struct stat_line *out)
{
	char bytes[1024];
	struct str text = read_proc(pid, "stat", bytes, sizeof(bytes));
	uint64_t v[14] = { 0 };

	while (str_find(text, ')') != -1)
		str_cut(&text, ')');
	str_cut(&text, ' ');
	for (size_t i = 1; i < nitems(v); i++) {
		if (text.p == NULL)
			return false;
		if (str_to_u64(str_cut(&text, ' '), UINT64_MAX, &v[i]) == -1)
			v[i] = 0; /* the state letter, or a negative number */
	}
	out->parent = (pid_t)v[2];
	out->ticks = v[12] + v[13];
	return true;
}

/* The number in the line "key   123 ..." of a small file of /proc/<pid>. */
static uint64_t
read_number(pid_t pid, const char *name, struct str key)
{
	char bytes[4096];
	struct str text = read_proc(pid, name, bytes, sizeof(bytes));
	struct str line;
	uint64_t n;

	while (text.p != NULL) {
		line = str_cut(&text, '\n');
		if (!str_starts(line, key))
			continue;
		line = str_trim(str_from(line, key.n));
		if (str_to_u64(str_cut(&line, ' '), UINT64_MAX >> 10, &n) == 0)
			return n;
	}
	return 0;
}

/* Is it the process, or a descendant of it? */
static bool
belongs(pid_t pid, pid_t to, struct stat_line *s)
{
	struct stat_line up;

	if (!read_stat(pid, s))
		return false;
	up = *s;
	for (int depth = 0; pid != to && depth < DEPTH; depth++) {
		pid = up.parent;
		if (pid <= 1 || (pid != to && !read_stat(pid, &up)))
			return false;
	}
	return pid == to;
}

/* Calls back for the process and each of its descendants. */
static void
each(pid_t pid, void (*fn)(pid_t, const struct stat_line *, void *), void *arg)
{
	struct stat_line s;
	struct dirent *d;
	uint64_t n;
	DIR *dir = opendir("/proc");

	if (dir == NULL)
		return;
	while ((d = readdir(dir)) != NULL)
		if (str_to_u64(str_of(d->d_name), INT32_MAX, &n) == 0 &&
		    belongs((pid_t)n, pid, &s))
			fn((pid_t)n, &s, arg);
	closedir(dir);
}

static void
add_ticks(pid_t pid, const struct stat_line *s, void *arg)
{
	*(uint64_t *)arg += s->ticks;
}

static void
add_pss(pid_t pid, const struct stat_line *s, void *arg)
{
	*(uint64_t *)arg += read_number(pid, "smaps_rollup", S("Pss:")) * 1024;
}

static void
add_switches(pid_t pid, const struct stat_line *s, void *arg)
{
	*(uint64_t *)arg +=
	    read_number(pid, "status", S("voluntary_ctxt_switches:"));
}

double
bench_cpu(pid_t pid)
{
	uint64_t ticks = 0;

	each(pid, add_ticks, &ticks);
	return (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

uint64_t
bench_switches(pid_t pid)
{
	uint64_t n = 0;

	each(pid, add_switches, &n);
	return n;
}

uint64_t
bench_pss(pid_t pid)
{
	uint64_t bytes = 0;

	each(pid, add_pss, &bytes);
	return bytes;
}
