/* SPDX-License-Identifier: MIT */
/*
 * core.c: the clock, and the buffers in which bytes for clients are built.
 */

#include "worker/core/core.h"

#include <string.h>

#include "shared/base/base.h"
#include "shared/base/clock.h"

#define ARENA_BYTES (64u << 10)

double
worker_now(void)
{
	return clock_seconds(CLOCK_MONOTONIC_COARSE);
}

struct buf **
worker_scratch(struct worker *w)
{
	if (w->scratch == NULL)
		w->scratch = buf_new(4096);
	w->scratch->len = 0;
	return &w->scratch;
}

struct slice
worker_arena(struct buf **arena, struct str bytes)
{
	struct buf *b = *arena;
	struct slice s;

	if (b == NULL || buf_room(b) < bytes.n) {
		buf_unref(b);
		b = *arena = buf_new(MAX(bytes.n, ARENA_BYTES));
	}
	s = (struct slice){ b, b->len, (uint32_t)bytes.n };
	memcpy(b->data + b->len, bytes.p, bytes.n);
	b->len += (uint32_t)bytes.n;
	return s;
}

void
worker_rewind(struct buf *b)
{
	if (b != NULL && b->refs == 1)
		b->len = 0;
}
