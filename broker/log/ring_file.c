/* SPDX-License-Identifier: MIT */
/*
 * ring_file.c: opens, checks, makes and replaces the file of a ring.  Nothing
 * in a file is used before all of it has been checked.  All blocks are
 * allocated when the file is made, because a store into a hole on a full file
 * system would kill the process.
 */

#include "broker/log/ring_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "broker/log/ring_inside.h"
#include "shared/base/base.h"
#include "shared/base/hash.h"
#include "shared/base/xmalloc.h"
#include "shared/proc/proc.h"

static uint64_t
check_head(const struct ring_head *h)
{
	return ring_mix(
	    ring_mix(ring_mix(h->magic, h->bytes), h->epoch), h->id);
}

static uint64_t
hash_id(struct str id)
{
	return hash_sip13(0, 0, id.n, id);
}

static bool
is_whole(struct ring *g, struct str id)
{
	const struct ring_head *h = g->h;

	return h->magic == RING_MAGIC && h->bytes == g->bytes &&
	    h->check == check_head(h) && h->id == hash_id(id) &&
	    h->head % 8 == 0 && h->tail % 8 == 0 && h->tail <= h->head &&
	    h->head - h->tail <= g->bytes && ring_check(g);
}

static struct ring *
ring_of(void *map, uint64_t bytes)
{
	struct ring *g = xcalloc(1, sizeof(*g));

	g->h = map;
	g->data = (char *)map + RING_HEAD_BYTES;
	g->bytes = bytes;
	g->mapped = (size_t)bytes + RING_HEAD_BYTES;
	return g;
}

static void
begin(struct ring *g, uint64_t epoch, uint64_t id, uint64_t last)
{
	*g->h = (struct ring_head){ .magic = RING_MAGIC,
		.bytes = g->bytes,
		.epoch = epoch,
		.id = id,
		.last = last,
		.oldest = last + 1 };
	g->h->check = check_head(g->h);
}

static void
begin_anew(struct ring *g, struct str id)
{
	begin(g, proc_random() | 1, hash_id(id), RING_FIRST_POS);
}

void
ring_restart(struct ring *g, uint64_t shared, uint64_t pos)
{
	uint64_t id = g->h->id;

	/* A successor that finds it half begun makes another one. */
	__atomic_store_n(&g->h->check, 0, __ATOMIC_RELEASE);
	begin(g, (shared == 0 ? proc_random() : ring_mix(shared, id)) | 1, id,
	    MAX(pos, RING_FIRST_POS));
	g->h->shared = shared;
}

/* Maps fd, or memory of this process when fd is -1. */
static struct ring *
map(int fd, uint64_t bytes)
{
	void *p =
	    mmap(NULL, (size_t)bytes + RING_HEAD_BYTES, PROT_READ | PROT_WRITE,
		fd == -1 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED, fd, 0);

	return p == MAP_FAILED ? NULL : ring_of(p, bytes);
}

/* The present file; NULL: there is none, or *why it cannot be used. */
static struct ring *
open_old(const char *path, struct str id, char **why)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	struct ring *g = NULL;
	struct stat st;

	if (fd == -1) {
		if (errno != ENOENT)
			*why = xasprintf("%s: %s", path, strerror(errno));
		return NULL;
	}
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    st.st_size > RING_HEAD_BYTES &&
	    (st.st_size - RING_HEAD_BYTES) % 8 == 0)
		g = map(fd, (uint64_t)st.st_size - RING_HEAD_BYTES);
	close(fd);
	if (g != NULL && is_whole(g, id))
		return g;
	ring_close(g);
	*why = xasprintf("%s is damaged or belongs to another app", path);
	return NULL;
}

/* Makes a file under another name, with all its blocks; NULL and *why. */
static struct ring *
make_file(const char *path, uint64_t bytes, char **why)
{
	int fd, r = -1;
	struct ring *g = NULL;

	unlink(path);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd != -1) {
		r = posix_fallocate(fd, 0, (off_t)(bytes + RING_HEAD_BYTES));
		errno = r;
	}
	if (r == 0)
		g = map(fd, bytes);
	if (g == NULL) {
		*why = xasprintf("cannot make %s of %llu bytes: %s", path,
		    (unsigned long long)bytes, strerror(errno));
		unlink(path);
	}
	if (fd != -1)
		close(fd);
	return g;
}

/* Copies the newest records of another ring, with their numbers. */
static void
copy(struct ring *to, const struct ring *from)
{
	uint64_t at = 0;
	struct ring_record r;

	to->h->epoch = from->h->epoch;
	to->h->shared = from->h->shared;
	to->h->check = check_head(to->h);
	while (ring_next(from, &at, &r)) {
		r.prev = r.prev_pos = 0; /* see ring_chain() */
		if (!ring_append(to, &r))
			ring_skip(to, r.pos);
	}
	to->h->last = from->h->last;
	to->h->oldest = MAX(to->h->oldest, from->h->oldest);
}

static char *
join_reasons(char *a, char *b)
{
	char *both;

	if (a == NULL || b == NULL)
		return a == NULL ? b : a;
	both = xasprintf("%s; %s", a, b);
	free(a);
	free(b);
	return both;
}

struct ring *
ring_open(const char *path, const char *backup, uint64_t bytes, struct str id,
    char **why)
{
	char *tmp, *unmade = NULL;
	struct ring *old, *g;

	*why = NULL;
	bytes = RING_ALIGN(bytes);
	old = open_old(path, id, why);
	if (old != NULL && old->bytes == bytes)
		return old;
	if (old == NULL && *why == NULL && backup != NULL)
		old = open_old(backup, id, why);
	tmp = xasprintf("%s.new", path);
	g = make_file(tmp, bytes, &unmade);
	if (g == NULL && old != NULL) { /* the one of the other size stays */
		free(tmp);
		*why = unmade;
		return old;
	}
	if (g == NULL)
		g = map(-1, bytes);
	if (g != NULL) {
		begin_anew(g, id);
		if (old != NULL)
			copy(g, old);
		if (unmade == NULL && rename(tmp, path) == -1)
			unmade = xasprintf("%s: %s", path, strerror(errno));
		if (old != NULL && !ring_check(g))
			begin_anew(g, id);
	}
	ring_close(old);
	free(tmp);
	*why = join_reasons(*why, unmade);
	return g;
}

/* ---- the copy ---- */

static bool
put(int fd, const struct ring *g, uint64_t at, uint64_t n)
{
	const char *p = (const char *)g->h;

	while (n > 0) {
		ssize_t r = pwrite(fd, p + at, n, (off_t)at);

		if (r == -1 && errno == EINTR)
			continue;
		if (r <= 0)
			return false;
		at += (uint64_t)r;
		n -= (uint64_t)r;
	}
	return true;
}

/* Copies what is in use; the rest of the file is a hole. */
static bool
put_all(int fd, const struct ring *g)
{
	uint64_t used = g->h->head - g->h->tail, from = g->h->tail % g->bytes;
	uint64_t n = MIN(used, g->bytes - from);

	return ftruncate(fd, (off_t)g->mapped) == 0 &&
	    put(fd, g, 0, RING_HEAD_BYTES) &&
	    put(fd, g, RING_HEAD_BYTES + from, n) &&
	    put(fd, g, RING_HEAD_BYTES, used - n);
}

int
ring_save(const struct ring *g, const char *path)
{
	char *tmp = xasprintf("%s.new", path);
	int fd, r = -1, e;

	unlink(tmp);
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd != -1 && put_all(fd, g))
		r = 0;
	e = errno;
	if (fd != -1)
		close(fd);
	if (r == 0 && (r = rename(tmp, path)) == -1)
		e = errno;
	if (r == -1)
		unlink(tmp);
	free(tmp);
	errno = e;
	return r;
}
