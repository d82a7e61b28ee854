/* SPDX-License-Identifier: MIT */
/*
 * shm.c: memory that a process and its later children share, and that the
 * program which takes the process's place finds again by its name.  It lives as
 * long as one of them.  Owns the descriptors, which no child keeps.
 */

#include "shared/base/shm.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define AREAS_MAX 16

static struct shm_area areas[AREAS_MAX];
static bool left[AREAS_MAX]; /* by the program before this one */
static size_t nareas;

const struct shm_area *
shm_areas(size_t *n)
{
	*n = nareas;
	return areas;
}

void
shm_inherit(const struct shm_area *a)
{
	if (nareas == AREAS_MAX)
		return;
	left[nareas] = true;
	areas[nareas++] = *a;
}

/* A limit of file sizes counts here, too: then it is memory without a name. */
static int
make(const char *name, size_t n)
{
	int fd = memfd_create(name, MFD_CLOEXEC);

	if (fd == -1 || ftruncate(fd, (off_t)n) == 0)
		return fd;
	close(fd);
	return -1;
}

static void *
map(int fd, size_t n)
{
	int flags = MAP_SHARED | (fd == -1 ? MAP_ANONYMOUS : 0);
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, flags, fd, 0);

	return p == MAP_FAILED ? NULL : p;
}

static void *
take(struct shm_area *a, size_t n)
{
	struct stat st;

	if (a->n == n && fstat(a->fd, &st) == 0 && (uint64_t)st.st_size == n)
		return map(a->fd, n);
	errno = EBADMSG;
	return NULL;
}

void *
shm_map(const char *name, size_t n)
{
	struct shm_area *a;
	size_t i = 0;

	while (i < nareas && strcmp(areas[i].name, name) != 0)
		i++;
	if (i == AREAS_MAX)
		return map(-1, n);
	a = &areas[i];
	if (left[i]) {
		left[i] = false;
		return take(a, n);
	}
	if (i < nareas && a->fd != -1)
		close(a->fd); /* the bytes stay, nobody finds them again */
	snprintf(a->name, sizeof(a->name), "%s", name);
	a->n = n;
	a->fd = make(name, n);
	nareas = i == nareas ? i + 1 : nareas;
	return map(a->fd, n);
}
