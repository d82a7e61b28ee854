/* SPDX-License-Identifier: MIT */
/*
 * minute_log.c: the ring of minutes, in shared memory and in a file of the same
 * layout: a head, and then a place for each minute of a day, found by the time.
 * Each row has a checksum, so that an incomplete row (a killed process, a power
 * cut, a concurrent writer) does not count.  Owns the memory.  Must never delay
 * the process that counts: only minute_log_load() and minute_log_save() touch
 * the file, and never the broker.
 */

#include "shared/proc/minute_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/base/base.h"
#include "shared/base/shm.h"
#include "shared/base/xmalloc.h"

#define MINUTE 60
#define MAGIC "pusherd history\n"

struct place {
	struct minute_log_row row;
	uint64_t check;
};

struct head {
	char magic[16];
	uint64_t layout; /* another value: other columns */
};

struct minute_log {
	struct place v[MINUTE_LOG_ROWS];
};

static uint64_t
hash_bytes(uint64_t h, const void *bytes, size_t n)
{
	const unsigned char *p = bytes;

	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * UINT64_C(0x100000001b3);
	return h;
}

/* Never 0, so that an empty place is no row. */
static uint64_t
check_of(const struct minute_log_row *r)
{
	return hash_bytes(UINT64_C(0xcbf29ce484222325), r, sizeof(*r)) | 1;
}

static void
head_init(struct head *h)
{
	static const char columns[] =
#define X(field) #field " "
	    MINUTE_LOG_FIELDS(X)
#undef X
	    ;

	memcpy(h->magic, MAGIC, sizeof(h->magic));
	h->layout = hash_bytes(MINUTE_LOG_ROWS, columns, sizeof(columns));
}

static size_t
place_of(uint64_t time)
{
	return time / MINUTE % MINUTE_LOG_ROWS;
}

static bool
is_good(const struct place *p, size_t at)
{
	return p->check == check_of(&p->row) && p->row.time % MINUTE == 0 &&
	    place_of(p->row.time) == at;
}

void
minute_log_add(struct minute_log_row *sum, const struct minute_log_row *v)
{
	uint64_t connections = MAX(sum->connections, v->connections);
	uint64_t turn_max_us = MAX(sum->turn_max_us, v->turn_max_us);

#define X(field) sum->field += v->field;
	MINUTE_LOG_FIELDS(X)
#undef X
	sum->connections = connections;
	sum->turn_max_us = turn_max_us;
}

/* ---- memory ---- */

struct minute_log *
minute_log_map(void)
{
	return shm_map("minutes", sizeof(struct minute_log));
}

void
minute_log_put(struct minute_log *l, const struct minute_log_row *r)
{
	if (l == NULL)
		return;
	l->v[place_of(r->time)] = (struct place){ *r, check_of(r) };
}

static int
by_time(const void *x, const void *y)
{
	const struct minute_log_row *a = x, *b = y;

	return a->time < b->time ? -1 : a->time > b->time;
}

size_t
minute_log_get(const struct minute_log *l, uint64_t now,
    struct minute_log_row out[MINUTE_LOG_ROWS])
{
	struct place p;
	size_t n = 0;

	for (size_t i = 0; i < MINUTE_LOG_ROWS; i++) {
		p = l->v[i];
		if (is_good(&p, i) && p.row.time <= now &&
		    p.row.time + MINUTE_LOG_ROWS * MINUTE > now)
			out[n++] = p.row;
	}
	if (n > 0)
		qsort(out, n, sizeof(*out), by_time);
	return n;
}

/* ---- the file ---- */

char *
minute_log_path(const char *outbox)
{
	const char *slash = strrchr(outbox, '/');

	return xasprintf("%.*s/history",
	    slash == NULL ? 1 : (int)(slash - outbox),
	    slash == NULL ? "." : outbox);
}

/* The descriptor, or -1; only regular files, and without waiting. */
static int
open_file(const char *path, int flags)
{
	int fd = open(
	    path, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0600);
	struct stat st;

	if (fd == -1)
		return -1;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return fd;
	close(fd);
	errno = EILSEQ;
	return -1;
}

/*
 * 1: its rows can be read; 0: empty, or of another version; -1: another file.
 */
static int
read_head(int fd)
{
	struct head want, got;
	ssize_t n = pread(fd, &got, sizeof(got), 0);

	head_init(&want);
	if (n == 0)
		return 0;
	if (n < (ssize_t)sizeof(got.magic) ||
	    memcmp(got.magic, want.magic, sizeof(got.magic)) != 0) {
		errno = EILSEQ;
		return -1;
	}
	return n == (ssize_t)sizeof(got) && got.layout == want.layout;
}

/* Minutes that are missing at the end have no rows. */
static int
read_rows(struct minute_log *l, int fd)
{
	struct place p;
	ssize_t n = 0;

	for (size_t i = 0; i < MINUTE_LOG_ROWS; i++) {
		n = pread(fd, &p, sizeof(p),
		    (off_t)(sizeof(struct head) + i * sizeof(p)));
		if (n == -1)
			return -1;
		if (n == (ssize_t)sizeof(p) && is_good(&p, i))
			l->v[i] = p;
	}
	return 0;
}

int
minute_log_load(struct minute_log *l, const char *path)
{
	int fd = open_file(path, O_RDONLY), r, saved;

	if (fd == -1)
		return errno == ENOENT ? 0 : -1;
	r = read_head(fd);
	if (r == 1)
		r = read_rows(l, fd);
	saved = errno;
	close(fd);
	errno = saved;
	return r;
}

static int
write_at(int fd, const void *bytes, size_t n, size_t at)
{
	ssize_t done = pwrite(fd, bytes, n, (off_t)at);

	if (done == (ssize_t)n)
		return 0;
	if (done >= 0)
		errno = ENOSPC;
	return -1;
}

/* Removes the rows of another version. */
static int
begin_file(int fd)
{
	struct head h;

	head_init(&h);
	return ftruncate(fd, 0) == -1 ? -1 : write_at(fd, &h, sizeof(h), 0);
}

static int
write_rows(int fd, const struct minute_log_row *v, size_t n, uint64_t *since)
{
	for (size_t i = 0; i < n; i++) {
		struct place p = { v[i], check_of(&v[i]) };

		if (p.row.time < *since)
			continue;
		if (write_at(fd, &p, sizeof(p),
			sizeof(struct head) +
			    place_of(p.row.time) * sizeof(p)) == -1)
			return -1;
	}
	if (n > 0)
		*since = v[n - 1].time;
	return 0;
}

int
minute_log_save(
    const struct minute_log *l, const char *path, uint64_t now, uint64_t *since)
{
	struct minute_log_row *v = xcalloc(MINUTE_LOG_ROWS, sizeof(*v));
	size_t n = minute_log_get(l, now, v);
	int fd = open_file(path, O_RDWR | O_CREAT), r, saved;

	r = fd == -1 ? -1 : read_head(fd);
	if (r == 0) {
		*since = 0;
		r = begin_file(fd);
	}
	if (r != -1)
		r = write_rows(fd, v, n, since);
	saved = errno;
	if (fd != -1)
		close(fd);
	free(v);
	errno = saved;
	return r;
}
