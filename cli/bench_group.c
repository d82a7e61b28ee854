/* SPDX-License-Identifier: MIT */
/*
 * bench_group.c: what the processes of a server cost: CPU time and memory of
 * one process and its children, from /proc.  Memory is the proportional set
 * size, so that pages shared after a fork are not counted twice.
 */

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/bench.h"
#include "shared/str.h"

struct stat_line {
	pid_t parent;
	uint64_t ticks; /* utime + stime */
};

/* Reads /proc/<pid>/stat; the name in brackets may hold anything. */
static bool
read_stat(pid_t pid, struct stat_line *out)
{
	char path[64], text[1024], *p;
	uint64_t utime, stime;
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if ((f = fopen(path, "re")) == NULL)
		return false;
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = '\0';
	if ((p = strrchr(text, ')')) == NULL ||
	    sscanf(p + 1,
		" %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64
		" %" SCNu64,
		&out->parent, &utime, &stime) != 3)
		return false;
	out->ticks = utime + stime;
	return true;
}

static uint64_t
read_pss(pid_t pid)
{
	char path[64], line[256];
	uint64_t kb = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	if ((f = fopen(path, "re")) == NULL)
		return 0;
	while (fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "Pss: %" SCNu64 " kB", &kb) == 1)
			break;
	fclose(f);
	return kb * 1024;
}

/* Calls back for the process and each of its children. */
static void
each(pid_t pid, void (*fn)(pid_t, const struct stat_line *, void *), void *arg)
{
	struct stat_line s;
	struct dirent *d;
	uint64_t n;
	DIR *dir = opendir("/proc");

	if (dir == NULL)
		return;
	while ((d = readdir(dir)) != NULL) {
		if (str_to_u64(str_of(d->d_name), INT32_MAX, &n) == -1 ||
		    !read_stat((pid_t)n, &s))
			continue;
		if ((pid_t)n == pid || s.parent == pid)
			fn((pid_t)n, &s, arg);
	}
	closedir(dir);
}

static void
add_ticks(pid_t pid, const struct stat_line *s, void *arg)
{
	(void)pid;
	*(uint64_t *)arg += s->ticks;
}

static void
add_pss(pid_t pid, const struct stat_line *s, void *arg)
{
	(void)s;
	*(uint64_t *)arg += read_pss(pid);
}

double
bench_cpu(pid_t pid)
{
	uint64_t ticks = 0;

	each(pid, add_ticks, &ticks);
	return (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

uint64_t
bench_pss(pid_t pid)
{
	uint64_t bytes = 0;

	each(pid, add_pss, &bytes);
	return bytes;
}
