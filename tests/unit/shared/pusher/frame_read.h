/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_SHARED_PUSHER_FRAME_READ_H
#define TESTS_UNIT_SHARED_PUSHER_FRAME_READ_H

/* Reads back what frames.c wrote. */

#include "shared/base/buf.h"
#include "shared/net/ws_frame.h"

/* The payload of the frame at *at, which must be final and unmasked. */
static inline struct str
next_frame(struct buf *b, size_t *at, enum ws_opcode op)
{
	struct str rest = str_from(buf_str(b), *at);
	struct ws_head h;
	ssize_t n = ws_head_read(&h, rest);

	assert_true(n > 0);
	assert_true(h.fin && !h.masked);
	assert_int_equal(h.opcode, op);
	assert_true(h.len <= rest.n - (size_t)n);
	*at += (size_t)n + h.len;
	return str_make(rest.p + n, h.len);
}

static inline void
assert_str(struct str s, struct str want)
{
	if (!str_eq(s, want))
		fail_msg("%.*s\nis not %.*s", STR_ARG(s), STR_ARG(want));
}

/* One text frame and nothing else; takes the buf. */
static inline void
assert_frame(struct buf *b, struct str want)
{
	size_t at = 0;

	assert_str(next_frame(b, &at, WS_TEXT), want);
	assert_int_equal(at, b->len);
	buf_unref(b);
}

#endif
