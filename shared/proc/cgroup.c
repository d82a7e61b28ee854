/* SPDX-License-Identifier: MIT */
/*
 * cgroup.c: reads what the control groups of this process grant it.  Keeps
 * nothing open.  Must never fail: a file that is missing or says something else
 * is no limit.
 */

#include "shared/proc/cgroup.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "shared/base/base.h"
#include "shared/base/str.h"

/* Bytes of a path below root, and of a line of /proc/self/cgroup. */
#define NAME_BYTES 4096
#define LINE_BYTES 2048

/* A group, and the text of one of its files. */
struct group {
	const char *root;
	const char *hierarchy; /* where it is mounted */
	const char *path;
	char text[64];
};

/* The text of this file without the newline; empty if there is none. */
static struct str
read_file(struct group *g, const char *file)
{
	char name[NAME_BYTES];
	ssize_t n;
	int fd;

	snprintf(name, sizeof(name), "%s/sys/fs/cgroup%s%s/%s", g->root,
	    g->hierarchy, g->path, file);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		return S("");
	n = read(fd, g->text, sizeof(g->text));
	close(fd);
	while (n > 0 && g->text[n - 1] == '\n')
		n--;
	return str_make(g->text, n > 0 ? (size_t)n : 0);
}

/* 0: no number, as "max" or "-1". */
static uint64_t
number(struct str text)
{
	uint64_t v;

	return str_to_u64(text, UINT64_MAX, &v) == -1 ? 0 : v;
}

static void
limit_memory(struct cgroup *c, struct str text)
{
	c->memory = cgroup_smaller(c->memory, number(text));
}

/* Microseconds of processor time in each period, both as text. */
static void
limit_cores(struct cgroup *c, struct str quota, struct str period)
{
	uint64_t q = number(quota), p = number(period), n;

	if (q == 0 || p == 0)
		return;
	n = q / p + (q % p != 0);
	c->cores = (unsigned)cgroup_smaller(c->cores, MIN(n, UINT_MAX));
}

static void
read_v2(struct cgroup *c, struct group *g)
{
	struct str quota, period;

	limit_memory(c, read_file(g, "memory.max"));
	period = read_file(g, "cpu.max"); /* both numbers */
	quota = str_cut(&period, ' ');
	limit_cores(c, quota, period);
}

static void
read_v1_memory(struct cgroup *c, struct group *g)
{
	limit_memory(c, read_file(g, "memory.limit_in_bytes"));
}

static void
read_v1_cores(struct cgroup *c, struct group *g)
{
	struct group other = *g;

	limit_cores(c, read_file(g, "cpu.cfs_quota_us"),
	    read_file(&other, "cpu.cfs_period_us"));
}

/* Reads the group at this path, and all around it. */
static void
read_all(struct cgroup *c, const char *root, const char *hierarchy, char *path,
    void (*read_one)(struct cgroup *, struct group *))
{
	struct group g = { .root = root, .hierarchy = hierarchy, .path = path };
	char *slash;

	for (;;) {
		read_one(c, &g);
		if ((slash = strrchr(path, '/')) == NULL)
			return;
		*slash = '\0';
	}
}

/* Is this one of the comma-separated controllers? */
static bool
has_controller(struct str list, struct str name)
{
	while (list.n > 0)
		if (str_eq(str_cut(&list, ','), name))
			return true;
	return false;
}

/* "0::/path", or "4:cpu,cpuacct:/path" in version 1. */
static void
read_line(struct cgroup *c, const char *root, char *line)
{
	char *controllers = strchr(line, ':'), *path;
	struct str list;

	if (controllers == NULL || (path = strchr(++controllers, ':')) == NULL)
		return;
	list = str_make(controllers, (size_t)(path - controllers));
	path++;
	if (list.n == 0)
		read_all(c, root, "", path, read_v2);
	else if (has_controller(list, S("memory")))
		read_all(c, root, "/memory", path, read_v1_memory);
	else if (has_controller(list, S("cpu")))
		read_all(c, root, "/cpu", path, read_v1_cores);
}

struct cgroup
cgroup_read(const char *root)
{
	struct cgroup c = { 0 };
	char line[LINE_BYTES];
	FILE *f;

	snprintf(line, sizeof(line), "%s/proc/self/cgroup", root);
	if ((f = fopen(line, "re")) == NULL)
		return c;
	while (fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		read_line(&c, root, line);
	}
	fclose(f);
	return c;
}
