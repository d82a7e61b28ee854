/* SPDX-License-Identifier: MIT */
/*
 * memory.c: reads the limits of the control group and of the machine, and the
 * memory use of this process.  Owns one open file, so that nothing must be
 * opened later.  Must never fail: without information there is no limit.
 */

#include "shared/proc/memory.h"

#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "shared/base/base.h"
#include "shared/base/str.h"

/* Bytes of a worker without clients, and of one with room for thousands. */
#define IDLE_BYTES (UINT64_C(5) << 20)
#define ROOM_BYTES (UINT64_C(20) << 20)

/* The number at the beginning of a small file; 0: none ("max"). */
static uint64_t
read_number(const char *path)
{
	char text[64];
	uint64_t v = 0;
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd == -1)
		return 0;
	n = read(fd, text, sizeof(text));
	close(fd);
	while (n > 0 && text[n - 1] == '\n')
		n--;
	if (n <= 0 ||
	    str_to_u64(str_make(text, (size_t)n), UINT64_MAX, &v) == -1)
		return 0;
	return v;
}

static uint64_t
smaller(uint64_t a, uint64_t b)
{
	return a == 0 ? b : b == 0 ? a : MIN(a, b);
}

/* The group of this process and all groups around it: each may have a limit. */
static uint64_t
group_limit(const char *root, const char *file, char *path)
{
	char name[4096];
	uint64_t limit = 0;
	char *slash;

	for (;;) {
		snprintf(name, sizeof(name), "%s%s/%s", root, path, file);
		limit = smaller(limit, read_number(name));
		if ((slash = strrchr(path, '/')) == NULL)
			return limit;
		*slash = '\0';
	}
}

static uint64_t
cgroup_limit(void)
{
	char line[2048], *path;
	uint64_t limit = 0;
	FILE *f = fopen("/proc/self/cgroup", "re");

	if (f == NULL)
		return 0;
	while (fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "0::", 3) == 0)
			limit = smaller(limit,
			    group_limit(
				"/sys/fs/cgroup", "memory.max", line + 3));
		else if ((path = strstr(line, ":memory:")) != NULL)
			limit = smaller(limit,
			    group_limit("/sys/fs/cgroup/memory",
				"memory.limit_in_bytes", path + 8));
	}
	fclose(f);
	return limit;
}

uint64_t
memory_available(void)
{
	long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
	uint64_t machine =
	    pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size : 0;

	return smaller(machine, cgroup_limit());
}

uint64_t
memory_share(uint64_t limit, uint64_t available, enum memory_part part)
{
	if (limit == 0)
		limit = available / 4 * 3;
	if (limit == 0)
		return 0;
	return MAX(limit / 16 * part, 1);
}

unsigned
memory_workers(uint64_t limit, uint64_t available)
{
	uint64_t share = memory_share(limit, available, MEMORY_WORKERS);

	return share == 0 ? UINT_MAX
			  : (unsigned)MIN(MAX(share / ROOM_BYTES, 1), UINT_MAX);
}

uint64_t
memory_least(unsigned nworkers)
{
	return nworkers * IDLE_BYTES / MEMORY_WORKERS * 16;
}

void
memory_init(struct memory *m, uint64_t limit)
{
	m->limit = limit;
	m->fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
}

void
memory_free(struct memory *m)
{
	if (m->fd != -1)
		close(m->fd);
	m->fd = -1;
}

/*
 * The best estimate without /proc: allocated bytes that were not freed; or the
 * maximum of resident bytes, if another allocator does not report them.
 */
static uint64_t
allocated(void)
{
	struct mallinfo2 i = mallinfo2();
	struct rusage u;

	if (i.uordblks + i.hblkhd > 0)
		return i.uordblks + i.hblkhd;
	return getrusage(RUSAGE_SELF, &u) == 0 ? (uint64_t)u.ru_maxrss * 1024
					       : 0;
}

bool
memory_is_known(const struct memory *m)
{
	return m->fd != -1;
}

/* A field of /proc/self/statm in bytes (proc(5); the first is 0), or false. */
static bool
read_field(int fd, unsigned field, uint64_t *bytes)
{
	char text[128];
	ssize_t n = fd == -1 ? -1 : pread(fd, text, sizeof(text), 0);
	struct str rest, value;

	if (n <= 0)
		return false;
	rest = str_make(text, (size_t)n);
	do
		value = str_cut(&rest, ' ');
	while (field-- > 0 && rest.p != NULL);
	if (str_to_u64(value, UINT64_MAX >> 16, bytes) == -1)
		return false;
	*bytes *= (uint64_t)sysconf(_SC_PAGESIZE);
	return true;
}

uint64_t
memory_used(const struct memory *m)
{
	uint64_t resident;

	return read_field(m->fd, 1, &resident) ? resident : allocated();
}

int
memory_confine(uint64_t bytes)
{
	struct memory m;
	uint64_t data;
	struct rlimit r;
	bool known;

	memory_init(&m, 0);
	known = read_field(m.fd, 5, &data);
	memory_free(&m);
	if (!known || getrlimit(RLIMIT_DATA, &r) == -1)
		return -1;
	r.rlim_cur = MIN(r.rlim_max, (rlim_t)(data + bytes));
	return setrlimit(RLIMIT_DATA, &r);
}
