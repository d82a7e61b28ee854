/* SPDX-License-Identifier: MIT */
/*
 * pager.c: finds out whether a pager reads the output: a process of the same
 * user whose standard input is the other end of this pipe.  Only reads /proc,
 * and only if the session has a terminal; if it cannot be found out, there is
 * no pager.
 */

#include "cli/out/pager.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "shared/base/base.h"

#define NAME_MAX_BYTES 16 /* of a process, as the kernel keeps it */
#define TRIES 5           /* a shell may not have started the pager yet */
#define PAUSE_MS 10

enum found { NOBODY, A_SHELL, A_PAGER, ANOTHER };

static bool
is_listed(const char *name, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(list[i], name) == 0)
			return true;
	return false;
}

/* The program of PAGER, without its path and arguments. */
static bool
is_of_environment(const char *name)
{
	const char *v = getenv("PAGER"), *slash;
	size_t n;

	if (v == NULL)
		return false;
	n = strcspn(v, " \t");
	for (slash = v + n; slash > v && slash[-1] != '/'; slash--)
		;
	n -= (size_t)(slash - v);
	n = MIN(n, NAME_MAX_BYTES - 1);
	return n > 0 && strlen(name) == n && strncmp(slash, name, n) == 0;
}

static enum found
judge(const char *pid)
{
	static const char *const pagers[] = { "less", "more", "most", "pg",
		"bat", "batcat", "moar", "moor", "ov", "lv", "vimpager" };
	static const char *const shells[] = { "sh", "bash", "dash", "zsh",
		"ksh", "fish" };
	char path[64], name[NAME_MAX_BYTES + 1] = "";
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%s/comm", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd == -1 ? -1 : read(fd, name, NAME_MAX_BYTES);
	if (fd != -1)
		close(fd);
	if (n <= 0)
		return ANOTHER;
	name[strcspn(name, "\n")] = '\0';
	if (is_listed(name, pagers, nitems(pagers)) || is_of_environment(name))
		return A_PAGER;
	return is_listed(name, shells, nitems(shells)) ? A_SHELL : ANOTHER;
}

/* The process whose standard input is this pipe ("pipe:[123]"). */
static enum found
look(const char *pipe_name)
{
	DIR *d = opendir("/proc");
	enum found r = NOBODY;
	struct dirent *e;
	char path[64], target[64];
	ssize_t n;

	while (d != NULL && r == NOBODY && (e = readdir(d)) != NULL) {
		if (e->d_name[0] < '1' || e->d_name[0] > '9' ||
		    strlen(e->d_name) > 10)
			continue;
		snprintf(path, sizeof(path), "/proc/%.10s/fd/0", e->d_name);
		n = readlink(path, target, sizeof(target) - 1);
		if (n <= 0)
			continue;
		target[n] = '\0';
		if (strcmp(target, pipe_name) == 0)
			r = judge(e->d_name);
	}
	if (d != NULL)
		closedir(d);
	return r;
}

bool
pager_reads(int fd)
{
	struct timespec pause = { 0, PAUSE_MS * 1000000L };
	char pipe_name[64];
	enum found found;
	struct stat st;

	if (isatty(STDERR_FILENO) != 1 || fstat(fd, &st) == -1 ||
	    !S_ISFIFO(st.st_mode))
		return false;
	snprintf(pipe_name, sizeof(pipe_name), "pipe:[%llu]",
	    (unsigned long long)st.st_ino);
	for (int i = 0; i < TRIES; i++) {
		found = look(pipe_name);
		if (found == A_PAGER || found == ANOTHER)
			return found == A_PAGER;
		nanosleep(&pause, NULL);
	}
	return false;
}
