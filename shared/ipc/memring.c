/* SPDX-License-Identifier: MIT */
/*
 * memring.c: a pair of rings in shared memory, each with one writer and one
 * reader.  Owns the mapping and the descriptors of one end.
 *
 * A position counts all bytes ever written, or read, in one direction.  Each
 * end has its own positions in private memory, and shows them to the other one;
 * a position of the other end is checked at every use, because that process may
 * have been taken over by an attacker.  The size of the memory is sealed, so
 * that nobody can take a page away.
 *
 * The first end makes the bells and keeps one side of each pipe for itself: the
 * second end cannot make it wait, because O_NONBLOCK belongs to a side.
 *
 * Nothing is lost between looking and sleeping: the reader says that it sleeps
 * and then looks once more, the writer writes and then looks whether the reader
 * sleeps.  These four accesses are sequentially consistent.  The same holds for
 * a writer that waits for room.
 */

#include "shared/ipc/memring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/base/base.h"
#include "shared/base/xmalloc.h"

#define CLOSED (UINT64_C(1) << 63) /* in `written`: nobody reads any more */
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)
#define LINE 64 /* bytes that a processor fetches at once */
#define LATE_BYTES (MEMRING_BYTES / 4) /* so many wake the reader */

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "two processes use the atomics");

/* One direction. */
struct half {
	/* Of the writer. */
	_Alignas(LINE) _Atomic uint64_t written;
	_Atomic uint64_t begins; /* see memring_begin() */
	_Atomic uint32_t waits;  /* for room */
	/* Of the reader. */
	_Alignas(LINE) _Atomic uint64_t read;
	_Atomic uint32_t sleeps;
};

struct memory {
	struct half half[2]; /* to the second end, to the first one */
	_Alignas(4096) char bytes[2][MEMRING_BYTES];
};

struct memring {
	struct memory *memory;
	struct half *in, *out;
	char *in_bytes, *out_bytes;
	uint64_t read, written; /* the own positions */
	bool sleeps;
	struct memring_fds fds;
};

static void
close_fds(const struct memring_fds *fds)
{
	int e = errno;

	if (fds->memory != -1)
		close(fds->memory);
	if (fds->bell != -1)
		close(fds->bell);
	if (fds->other != -1)
		close(fds->other);
	errno = e;
}

static struct memring *
map(const struct memring_fds *fds, int end)
{
	struct memory *m = mmap(NULL, sizeof(*m), PROT_READ | PROT_WRITE,
	    MAP_SHARED, fds->memory, 0);
	struct memring *r;

	if (m == MAP_FAILED)
		return NULL;
	r = xcalloc(1, sizeof(*r));
	*r = (struct memring){ .memory = m,
		.in = &m->half[1 - end],
		.out = &m->half[end],
		.in_bytes = m->bytes[1 - end],
		.out_bytes = m->bytes[end],
		.fds = *fds };
	return r;
}

static int
make_memory(void)
{
	int fd = memfd_create("ring", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd != -1 &&
	    (ftruncate(fd, sizeof(struct memory)) == -1 ||
		fcntl(fd, F_ADD_SEALS, SEALS) == -1)) {
		close(fd);
		return -1;
	}
	return fd;
}

struct memring *
memring_new(struct memring_fds *second)
{
	struct memring_fds first = { -1, -1, -1 };
	int there[2] = { -1, -1 }, back[2] = { -1, -1 };
	struct memring *r = NULL;

	first.memory = make_memory();
	if (first.memory != -1 && pipe2(there, O_CLOEXEC | O_NONBLOCK) == 0 &&
	    pipe2(back, O_CLOEXEC | O_NONBLOCK) == 0) {
		first.bell = back[0];
		first.other = there[1];
		r = map(&first, 0);
	}
	*second = (struct memring_fds){ first.memory, there[0], back[1] };
	if (r == NULL) {
		close_fds(&(struct memring_fds){ -1, there[1], back[0] });
		close_fds(second);
		return NULL;
	}
	r->fds.memory = -1; /* the second end keeps it */
	atomic_store(&r->in->begins, UINT64_MAX);
	atomic_store(&r->out->begins, UINT64_MAX);
	return r;
}

struct memring *
memring_open(const struct memring_fds *fds)
{
	int seals = fcntl(fds->memory, F_GET_SEALS);
	struct memring *r = NULL;
	struct stat st;

	errno = EBADMSG;
	if (seals != -1 && (seals & SEALS) == SEALS && fds->bell != -1 &&
	    fds->other != -1 && fstat(fds->memory, &st) == 0 &&
	    st.st_size == sizeof(struct memory))
		r = map(fds, 1);
	if (r == NULL) {
		close_fds(fds);
		return NULL;
	}
	r->read = atomic_load(&r->in->read);
	r->written = atomic_load(&r->out->written) & ~CLOSED;
	return r;
}

struct memring_fds
memring_fds(const struct memring *r)
{
	return r->fds;
}

void
memring_free(struct memring *r)
{
	if (r == NULL)
		return;
	munmap(r->memory, sizeof(*r->memory));
	close_fds(&r->fds);
	free(r);
}

void
memring_close(struct memring *r)
{
	atomic_fetch_or(&r->in->written, CLOSED);
}

/* One byte; a full pipe wakes as well, and the socket tells of a death. */
static void
ring_the_bell(struct memring *r)
{
	ssize_t n;

	do
		n = write(r->fds.other, "", 1);
	while (n == -1 && errno == EINTR);
}

void
memring_wake(struct memring *r)
{
	if (atomic_load(&r->out->read) != r->written &&
	    atomic_load(&r->out->sleeps) && atomic_exchange(&r->out->sleeps, 0))
		ring_the_bell(r);
}

/* ---- reading ---- */

ssize_t
memring_ready(const struct memring *r)
{
	uint64_t n = (atomic_load(&r->in->written) & ~CLOSED) - r->read;

	return n > MEMRING_BYTES ? -1 : (ssize_t)n;
}

void
memring_read(struct memring *r, char *to, size_t n)
{
	size_t at = r->read % MEMRING_BYTES, part = MIN(n, MEMRING_BYTES - at);

	memcpy(to, r->in_bytes + at, part);
	memcpy(to + part, r->in_bytes, n - part);
	r->read += n;
	atomic_store(&r->in->read, r->read);
	if (atomic_load(&r->in->waits) && atomic_exchange(&r->in->waits, 0))
		ring_the_bell(r);
}

/* ---- writing ---- */

/* How many bytes there is room for, or -1 with errno. */
static ssize_t
room(const struct memring *r)
{
	uint64_t n = r->written - atomic_load(&r->out->read);

	if (n <= MEMRING_BYTES)
		return (ssize_t)(MEMRING_BYTES - n);
	errno = EBADMSG;
	return -1;
}

static void
put(struct memring *r, uint64_t pos, const char *from, size_t n)
{
	size_t at = pos % MEMRING_BYTES, part = MIN(n, MEMRING_BYTES - at);

	memcpy(r->out_bytes + at, from, part);
	memcpy(r->out_bytes, from + part, n - part);
}

/* Writes up to max bytes of the queue, and shows them to the reader. */
static int
send_some(struct memring *r, struct outq *q, size_t max)
{
	uint64_t before = r->written, to = before;
	const struct slice *s;
	size_t n;

	while (max > 0 && (s = outq_front(q)) != NULL) {
		n = MIN(s->len, max);
		put(r, to, s->b->data + s->off, n);
		outq_consume(q, n);
		to += n;
		max -= n;
	}
	if (!atomic_compare_exchange_strong(&r->out->written, &before, to)) {
		errno = EPIPE;
		return -1;
	}
	r->written = to;
	return 0;
}

static bool
is_well_filled(const struct memring *r)
{
	return r->written - atomic_load(&r->out->read) >= LATE_BYTES;
}

int
memring_send(struct memring *r, struct outq *q, bool late)
{
	ssize_t n;

	memring_awake(r);
	for (;;) {
		n = room(r);
		if (n == -1 || (n > 0 && send_some(r, q, (size_t)n) == -1))
			return -1;
		if (!late || is_well_filled(r))
			memring_wake(r);
		if (outq_is_empty(q))
			return 1;
		atomic_store(&r->out->waits, 1);
		if (room(r) == 0)
			return 0;
		atomic_store(&r->out->waits, 0);
	}
}

void
memring_begin(struct memring *r, uint64_t sent)
{
	atomic_store(&r->out->begins, sent);
}

uint64_t
memring_other_sent(const struct memring *r)
{
	return atomic_load(&r->in->begins);
}

/* ---- sleeping ---- */

void
memring_sleep(struct memring *r)
{
	if (r->sleeps)
		return; /* said, and still true: or the bell has rung */
	r->sleeps = true;
	atomic_store(&r->in->sleeps, 1);
}

void
memring_awake(struct memring *r)
{
	if (!r->sleeps)
		return;
	r->sleeps = false;
	atomic_store_explicit(&r->in->sleeps, 0, memory_order_relaxed);
}

bool
memring_hear(struct memring *r)
{
	char bytes[64];
	ssize_t n;

	memring_awake(r);
	do
		n = read(r->fds.bell, bytes, sizeof(bytes));
	while (n == -1 && errno == EINTR);
	return n != 0;
}
