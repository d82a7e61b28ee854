/* SPDX-License-Identifier: MIT */
#ifndef SHARED_BASE_OUTQ_H
#define SHARED_BASE_OUTQ_H

/*
 * A queue of slices of bufs on their way to a descriptor.  Queueing costs a
 * reference and 16 bytes, never a copy; a slice that continues the previous one
 * in the same buf is merged with it.  One sendmsg(2) takes many.
 *
 * Two positions count all bytes that ever went in and out, so that a caller can
 * see when its bytes have left (`in` right after queueing; later `out` >=
 * that).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "shared/base/buf.h"

struct slice {
	struct buf *b;
	uint32_t off, len;
};

struct outq {
	struct slice one; /* used instead of v while n <= 1 and v == NULL */
	struct slice *v;  /* ring, NULL until a second slice is queued */
	uint32_t head, n, cap; /* cap: a power of two */
	uint32_t pushes;       /* pushes, merged or not; modulo 2^32 */
	uint64_t in, out;
};

void outq_init(struct outq *);
/* Takes a reference of its own to b.  len 0 is ignored. */
void outq_push(struct outq *, struct buf *b, uint32_t off, uint32_t len);
/* Copies the bytes into a buf of its own and queues that. */
void outq_push_copy(struct outq *, struct str bytes);
/*
 * Writes as much as the socket takes, at most about `max` bytes.  1: the
 * queue is empty; 0: the socket is full, or max was reached; -1: errno.
 * Never raises SIGPIPE.
 */
int outq_send(struct outq *, int fd, size_t max);
/* The first slice (for TLS), or NULL. */
const struct slice *outq_front(const struct outq *);
/* The i-th slice from the front; i < q->n. */
const struct slice *outq_at(const struct outq *, uint32_t i);
/* Copies up to cap bytes from the front, without removing them. */
size_t outq_peek(const struct outq *, void *dst, size_t cap);
/* Removes n bytes from the front. */
void outq_consume(struct outq *, size_t n);
/* Removes n bytes from the end. */
void outq_shorten(struct outq *, size_t n);
/*
 * Drops everything except the rest of the first slice, which may have begun to
 * leave, and copies that.  False: it has more than max bytes, and nothing is
 * dropped.
 */
bool outq_cut(struct outq *, size_t max);
/* Drops everything; the queue can be used again. */
void outq_clear(struct outq *);
/*
 * Bytes of the rings of all queues of this process: now, and of all that it has
 * ever made.  A ring that is full is replaced by one of twice its size, and
 * those of a channel's subscribers are full at the same event.
 */
uint64_t outq_rings(void);
uint64_t outq_rings_made(void);

static inline size_t
outq_bytes(const struct outq *q)
{
	return (size_t)(q->in - q->out);
}

static inline bool
outq_is_empty(const struct outq *q)
{
	return q->n == 0;
}

#endif
