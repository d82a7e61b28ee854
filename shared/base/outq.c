/* SPDX-License-Identifier: MIT */
/*
 * outq.c: slices of bufs on their way to a descriptor.  Owns one reference for
 * each slice.  A queue of one slice, the common case, lives in the struct
 * itself; a second one needs a ring, which doubles when it is full.  A small
 * ring is kept when the queue runs empty, so that a busy socket does not
 * allocate in every turn; a large one is freed.  Must never block, copy payload
 * (except outq_push_copy() and outq_peek()), or keep a reference to bytes that
 * have left.
 */

#include "shared/base/outq.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "shared/base/base.h"
#include "shared/base/xmalloc.h"

#define FIRST_RING 4
#define KEPT_RING 16 /* slices; a larger ring is freed when empty */
#define MAX_IOV MIN(64, IOV_MAX)

static uint64_t made, freed; /* bytes of rings, ever */

/* Slice number i from the front. */
static inline struct slice *
at(const struct outq *q, uint32_t i)
{
	return &q->v[(q->head + i) & (q->cap - 1)];
}

static inline const struct slice *
first(const struct outq *q)
{
	return q->v == NULL ? &q->one : at(q, 0);
}

static void
free_ring(struct outq *q)
{
	freed += q->cap * sizeof(q->v[0]);
	free(q->v);
	q->v = NULL;
	q->cap = 0;
}

static void
grow(struct outq *q)
{
	uint32_t i, cap = q->cap == 0 ? FIRST_RING : q->cap * 2;
	struct slice *v;

	assert(cap > q->cap);
	v = xreallocarray(NULL, cap, sizeof(v[0]));
	if (q->v == NULL)
		v[0] = q->one;
	else
		for (i = 0; i < q->n; i++)
			v[i] = *at(q, i);
	free_ring(q);
	made += cap * sizeof(v[0]);
	q->v = v;
	q->cap = cap;
	q->head = 0;
}

uint64_t
outq_rings(void)
{
	return made - freed;
}

uint64_t
outq_rings_made(void)
{
	return made;
}

void
outq_init(struct outq *q)
{
	*q = (struct outq){ 0 };
}

void
outq_push(struct outq *q, struct buf *b, uint32_t off, uint32_t len)
{
	struct slice *last;

	assert(off <= b->cap && len <= b->cap - off);
	if (len == 0)
		return;
	q->in += len;
	q->pushes++;
	if (q->n > 0) {
		last = q->v == NULL ? &q->one : at(q, q->n - 1);
		if (last->b == b && last->off + last->len == off) {
			last->len += len;
			return;
		}
	}
	buf_ref(b);
	if (q->v == NULL && q->n == 0) {
		q->one = (struct slice){ b, off, len };
	} else {
		if (q->n == q->cap || q->v == NULL)
			grow(q);
		*at(q, q->n) = (struct slice){ b, off, len };
	}
	q->n++;
}

void
outq_push_copy(struct outq *q, struct str bytes)
{
	struct buf *b;

	if (bytes.n == 0)
		return;
	b = buf_from(bytes);
	outq_push(q, b, 0, b->len);
	buf_unref(b);
}

/* The queue has become empty. */
static void
emptied(struct outq *q)
{
	q->head = 0;
	if (q->cap > KEPT_RING)
		free_ring(q);
}

void
outq_consume(struct outq *q, size_t n)
{
	struct slice *s;

	assert(n <= outq_bytes(q));
	q->out += n;
	while (n > 0) {
		s = q->v == NULL ? &q->one : at(q, 0);
		if (n < s->len) {
			s->off += (uint32_t)n;
			s->len -= (uint32_t)n;
			return;
		}
		n -= s->len;
		buf_unref(s->b);
		q->n--;
		if (q->v != NULL)
			q->head = (q->head + 1) & (q->cap - 1);
	}
	if (q->n == 0)
		emptied(q);
}

void
outq_shorten(struct outq *q, size_t n)
{
	struct slice *s;

	assert(n <= outq_bytes(q));
	q->in -= n;
	while (n > 0) {
		s = q->v == NULL ? &q->one : at(q, q->n - 1);
		if (n < s->len) {
			s->len -= (uint32_t)n;
			return;
		}
		n -= s->len;
		buf_unref(s->b);
		q->n--;
	}
	if (q->n == 0)
		emptied(q);
}

/* One system call for at most max bytes; passes *offered of them to it. */
static ssize_t
write_some(const struct outq *q, int fd, size_t max, size_t *offered)
{
	struct iovec iov[MAX_IOV];
	struct msghdr m = { .msg_iov = iov };
	const struct slice *s = first(q);
	size_t n = 0;
	uint32_t i;

	if (q->n == 1 || s->len >= max) {
		*offered = MIN(s->len, max);
		return send(fd, s->b->data + s->off, *offered,
		    MSG_NOSIGNAL | MSG_DONTWAIT);
	}
	for (i = 0; i < MIN(q->n, (uint32_t)MAX_IOV) && n < max; i++) {
		s = at(q, i);
		iov[i].iov_base = s->b->data + s->off;
		iov[i].iov_len = MIN(s->len, max - n);
		n += iov[i].iov_len;
	}
	m.msg_iovlen = i;
	*offered = n;
	return sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
}

int
outq_send(struct outq *q, int fd, size_t max)
{
	size_t offered;
	ssize_t n;

	while (q->n > 0) {
		if (max == 0)
			return 0;
		n = write_some(q, fd, max, &offered);
		if (n == -1) {
			if (errno == EINTR)
				continue;
			if (errno == EAGAIN)
				return 0;
			return -1;
		}
		outq_consume(q, (size_t)n);
		if ((size_t)n < offered)
			return 0; /* full; another call would only cost time */
		max -= (size_t)n;
	}
	return 1;
}

const struct slice *
outq_front(const struct outq *q)
{
	return q->n == 0 ? NULL : first(q);
}

const struct slice *
outq_at(const struct outq *q, uint32_t i)
{
	return q->v == NULL ? &q->one : at(q, i);
}

size_t
outq_peek(const struct outq *q, void *dst, size_t cap)
{
	const struct slice *s;
	size_t part, n = 0;
	char *to = dst;
	uint32_t i;

	for (i = 0; i < q->n && n < cap; i++) {
		s = q->v == NULL ? &q->one : at(q, i);
		part = MIN(s->len, cap - n);
		memcpy(to + n, s->b->data + s->off, part);
		n += part;
	}
	return n;
}

bool
outq_cut(struct outq *q, size_t max)
{
	const struct slice *s = outq_front(q);
	struct buf *b;

	if (s == NULL)
		return true;
	if (s->len > max)
		return false;
	b = buf_from(str_make(s->b->data + s->off, s->len));
	outq_clear(q);
	q->in -= b->len; /* it has not left */
	q->out = q->in;
	outq_push(q, b, 0, b->len);
	buf_unref(b);
	return true;
}

void
outq_clear(struct outq *q)
{
	uint32_t i;

	for (i = 0; i < q->n; i++)
		buf_unref(q->v == NULL ? q->one.b : at(q, i)->b);
	free_ring(q);
	/* The positions stay: dropped bytes count as sent. */
	q->out = q->in;
	q->head = q->n = 0;
}
