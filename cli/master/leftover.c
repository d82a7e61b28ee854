/* SPDX-License-Identifier: MIT */
/*
 * leftover.c: finds in /proc the processes that have a lock file open.  The
 * number in the file names the process that took the lock, which may be gone,
 * or another process by now.  Ends only the children of a master that is gone:
 * a process counts as one of them when it has this very file open, has a name
 * that only pusherd gives, and its parent is not of the group.
 */

#include "cli/master/leftover.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/base/base.h"
#include "shared/base/log.h"
#include "shared/base/str.h"
#include "shared/base/xmalloc.h"

/* The beginning of a file of /proc as a text. */
static void
read_text(pid_t pid, const char *file, char *out, size_t cap)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	out[0] = '\0';
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		return;
	n = read(fd, out, cap - 1);
	out[MAX(n, 0)] = '\0';
	close(fd);
}

static bool
has_open(pid_t pid, const struct stat *file)
{
	char path[64], name[512];
	struct dirent *e;
	struct stat st;
	bool found = false;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	d = opendir(path);
	if (d == NULL)
		return false;
	while (!found && (e = readdir(d)) != NULL) {
		snprintf(name, sizeof(name), "%s/%s", path, e->d_name);
		found = stat(name, &st) == 0 && st.st_ino == file->st_ino &&
		    st.st_dev == file->st_dev;
	}
	closedir(d);
	return found;
}

/* State and parent: after the name, which may hold anything. */
static pid_t
parent_of(pid_t pid, bool *stopped)
{
	char text[512], state = '?';
	const char *end;
	int parent = 0;

	read_text(pid, "stat", text, sizeof(text));
	end = strrchr(text, ')');
	if (end != NULL && end[1] == ' ') {
		state = end[2];
		if (state != '\0' && end[3] == ' ')
			parent = (int)strtol(end + 4, NULL, 10);
	}
	*stopped = state == 'T' || state == 't';
	return parent;
}

static bool
is_child_name(const char *name)
{
	static const char *const roles[] = { "worker ", "broker", "courier" };
	struct str s = str_of(name);

	if (!str_starts(s, S("pusherd: ")))
		return false;
	for (size_t i = 0; i < nitems(roles); i++)
		if (str_starts(str_from(s, 9), str_of(roles[i])))
			return true;
	return false;
}

size_t
leftover_find(const struct stat *file, struct leftover v[LEFTOVER_MAX])
{
	pid_t parents[LEFTOVER_MAX];
	struct dirent *e;
	size_t n = 0, i, k;
	uint64_t pid;
	DIR *d = opendir("/proc");

	while (d != NULL && n < LEFTOVER_MAX && (e = readdir(d)) != NULL) {
		if (str_to_u64(str_of(e->d_name), INT32_MAX, &pid) == -1 ||
		    (pid_t)pid == getpid() || !has_open((pid_t)pid, file))
			continue;
		v[n].pid = (pid_t)pid;
		read_text(v[n].pid, "cmdline", v[n].name, sizeof(v[n].name));
		parents[n] = parent_of(v[n].pid, &v[n].stopped);
		n++;
	}
	if (d != NULL)
		closedir(d);
	for (i = 0; i < n; i++) {
		v[i].orphan = is_child_name(v[i].name);
		for (k = 0; k < n; k++)
			if (v[k].pid == parents[i])
				v[i].orphan = false;
	}
	return n;
}

bool
leftover_may_be(pid_t pid)
{
	char name[256];

	if (pid <= 0)
		return false;
	read_text(pid, "cmdline", name, sizeof(name));
	return strstr(name, "pusherd") != NULL;
}

char *
leftover_text(const struct leftover *v, size_t n)
{
	char *text = xstrdup(""), *more;

	for (size_t i = 0; i < n; i++) {
		more = xasprintf("%s%s%s (pid %d%s)", text, i == 0 ? "" : ", ",
		    v[i].name, (int)v[i].pid, v[i].stopped ? ", stopped" : "");
		free(text);
		text = more;
	}
	return text;
}

void
leftover_end(const struct leftover *v, size_t n, bool stopped_only)
{
	for (size_t i = 0; i < n; i++) {
		if (!v[i].orphan || (stopped_only && !v[i].stopped))
			continue;
		log_warnx("%s (pid %d) is left over from a server that died, "
			  "and does not exit: killing it",
		    v[i].name, (int)v[i].pid);
		kill(v[i].pid, SIGKILL);
	}
}
