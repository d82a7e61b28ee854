/* SPDX-License-Identifier: MIT */
/*
 * buf.c: reference-counted bytes.  A buf is one allocation: head and bytes.
 * All holders of a reference own the buf together; the last one to release it
 * frees it.  Must never move or change bytes that another holder may see:
 * growing requires refs == 1, and appending happens after len only.
 */

#include "shared/base/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "shared/base/base.h"
#include "shared/base/xmalloc.h"

#define MAX_BYTES ((size_t)1 << 30)
#define FIRST_BYTES 128 /* of a buf that buf_reserve() makes, at least */

struct buf *
buf_new(size_t cap)
{
	struct buf *b;

	assert(cap <= MAX_BYTES);
	b = xmalloc(offsetof(struct buf, data) + cap);
	b->refs = 1;
	b->len = 0;
	b->cap = (uint32_t)cap;
	return b;
}

struct buf *
buf_from(struct str s)
{
	struct buf *b = buf_new(s.n);

	if (s.n != 0)
		memcpy(b->data, s.p, s.n);
	b->len = (uint32_t)s.n;
	return b;
}

struct buf *
buf_ref(struct buf *b)
{
	assert(b->refs < UINT32_MAX);
	b->refs++;
	return b;
}

void
buf_unref(struct buf *b)
{
	if (b == NULL)
		return;
	assert(b->refs > 0);
	if (--b->refs == 0)
		free(b);
}

char *
buf_reserve(struct buf **b, size_t n)
{
	size_t cap;

	if (*b == NULL)
		*b = buf_new(MAX(n, FIRST_BYTES));
	if (buf_room(*b) < n) {
		assert((*b)->refs == 1 && n <= MAX_BYTES - (*b)->len);
		cap = MIN((size_t)(*b)->cap * 2, MAX_BYTES);
		cap = MAX(cap, (*b)->len + n);
		*b = xreallocarray(*b, offsetof(struct buf, data) + cap, 1);
		(*b)->cap = (uint32_t)cap;
	}
	return (*b)->data + (*b)->len;
}

void
buf_append(struct buf **b, struct str s)
{
	char *p = buf_reserve(b, s.n);

	if (s.n != 0)
		memcpy(p, s.p, s.n);
	(*b)->len += (uint32_t)s.n;
}

void
buf_putc(struct buf **b, char c)
{
	*buf_reserve(b, 1) = c;
	(*b)->len++;
}

void
buf_printf(struct buf **b, const char *fmt, ...)
{
	va_list ap;
	size_t room;
	char *p;
	int n;

	p = buf_reserve(b, 0);
	room = buf_room(*b);
	va_start(ap, fmt);
	n = vsnprintf(p, room, fmt, ap);
	va_end(ap);
	assert(n >= 0);
	if ((size_t)n >= room) {
		/* One byte more, for the NUL that does not count. */
		p = buf_reserve(b, (size_t)n + 1);
		va_start(ap, fmt);
		vsnprintf(p, (size_t)n + 1, fmt, ap);
		va_end(ap);
	}
	(*b)->len += (uint32_t)n;
}
