/* SPDX-License-Identifier: MIT */
/*
 * memory.c: the memory that the server may use, and the memory use of this
 * process.  Owns one open file, so that nothing must be opened later.  Must
 * never fail: without information there is no limit.
 */

#include "shared/proc/memory.h"

#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include "shared/base/base.h"
#include "shared/base/str.h"
#include "shared/proc/cgroup.h"

/* Bytes of a worker without clients, and of one with room for thousands. */
#define IDLE_BYTES (UINT64_C(5) << 20)
#define ROOM_BYTES (UINT64_C(20) << 20)

uint64_t
memory_available(void)
{
	long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
	uint64_t machine =
	    pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size : 0;

	return cgroup_smaller(machine, cgroup_read("").memory);
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
memory_init(struct memory *m)
{
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

	memory_init(&m);
	known = read_field(m.fd, 5, &data);
	memory_free(&m);
	if (!known || getrlimit(RLIMIT_DATA, &r) == -1)
		return -1;
	r.rlim_cur = MIN(r.rlim_max, (rlim_t)(data + bytes));
	return setrlimit(RLIMIT_DATA, &r);
}
