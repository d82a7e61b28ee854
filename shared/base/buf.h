/* SPDX-License-Identifier: MIT */
#ifndef SHARED_BASE_BUF_H
#define SHARED_BASE_BUF_H

/*
 * Reference-counted bytes.  The count is a plain integer: one process, one
 * thread.  Bytes [0, len) may be shared and then never change; the maker of the
 * buf may append after len (up to cap) even while earlier bytes are shared.  So
 * many small frames can lie next to each other in one buf and leave in one
 * system call.
 */

#include <stddef.h>
#include <stdint.h>

#include "shared/base/str.h"

struct buf {
	uint32_t refs;
	uint32_t len; /* bytes in use */
	uint32_t cap; /* bytes there is room for */
	char data[];
};

/* One reference, no bytes, room for cap (at most 1 GiB). */
struct buf *buf_new(size_t cap);
/* A buf with a copy of these bytes. */
struct buf *buf_from(struct str s);
struct buf *buf_ref(struct buf *);
/* Frees with the last reference; NULL is allowed. */
void buf_unref(struct buf *);
/*
 * Makes room for n more bytes after len and returns their place.  *b may move
 * (and must have refs == 1) if there is not enough room; NULL *b is made.  The
 * caller raises len itself.
 */
char *buf_reserve(struct buf **b, size_t n);
/* Appends a copy. */
void buf_append(struct buf **b, struct str s);
void buf_putc(struct buf **b, char c);
/* Appends formatted text, without its NUL. */
void buf_printf(struct buf **b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static inline size_t
buf_room(const struct buf *b)
{
	return b->cap - b->len;
}

static inline struct str
buf_str(const struct buf *b)
{
	return b == NULL ? (struct str){ "", 0 }
			 : (struct str){ b->data, b->len };
}

#endif
