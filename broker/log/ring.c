/* SPDX-License-Identifier: MIT */
/*
 * ring.c: a ring of records in a mapped file.  Owns the mapping.  Offsets grow
 * for ever, and a record lies at off % bytes.  A record never wraps: a filler,
 * which is a record without a number, takes the rest of the ring.
 *
 * The ring survives the death of its writer because of the order of stores: the
 * tail moves before the bytes behind it are overwritten, and the head moves
 * last.
 */

#include "broker/log/ring.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "broker/log/ring_inside.h"
#include "shared/base/base.h"

#define PREFETCH_BYTES 384 /* an event of usual size */

/* ---- checks ---- */

/* Of whole words; n is a multiple of 8. */
static uint32_t
check_words(const char *p, size_t n)
{
	uint64_t a = n, v;

	for (; n >= 8; p += 8, n -= 8) {
		memcpy(&v, p, 8);
		a = ring_mix(a, v);
	}
	return (uint32_t)a;
}

static uint32_t
check_record(const struct ring_slot *r)
{
	return check_words((const char *)r + 8, r->len - 8);
}

/* ---- reading ---- */

/* The record at an offset between tail and head; NULL: it is invalid. */
static const struct ring_slot *
record_at(const struct ring *g, uint64_t off)
{
	uint64_t in = off % g->bytes, rest = g->bytes - in;
	const struct ring_slot *r = (const void *)(g->data + in);

	if (off % 8 != 0 || rest < 8 || r->len < 8 || r->len % 8 != 0 ||
	    r->len > rest || r->len > g->h->head - off)
		return NULL;
	return r;
}

/* The end of the ring may have less room than a record's head needs. */
static bool
is_filler(const struct ring_slot *r)
{
	return r->len < sizeof(*r) || r->pos == 0;
}

static bool
is_sound(const struct ring_slot *r)
{
	return r->channel_len > 0 &&
	    RING_ALIGN(sizeof(*r) + r->channel_len + (uint64_t)r->frame_len) ==
	    r->len;
}

static void
fill(struct ring_record *out, const struct ring_slot *r, uint64_t off)
{
	const char *p = (const char *)(r + 1);

	*out = (struct ring_record){ .off = off,
		.pos = r->pos,
		.origin = r->origin,
		.seq = r->seq,
		.time_us = r->time_us,
		.except = r->except,
		.hash = r->hash,
		.prev = r->prev,
		.prev_pos = r->prev_pos,
		.channel = { p, r->channel_len },
		.frame = { p + r->channel_len, r->frame_len } };
}

bool
ring_has(const struct ring *g, uint64_t off)
{
	return off >= g->h->tail && off < g->h->head;
}

bool
ring_read(const struct ring *g, uint64_t off, struct ring_record *out)
{
	const struct ring_slot *r;

	if (!ring_has(g, off) || (r = record_at(g, off)) == NULL ||
	    is_filler(r) || !is_sound(r))
		return false;
	fill(out, r, off);
	return true;
}

bool
ring_next(const struct ring *g, uint64_t *at, struct ring_record *out)
{
	const struct ring_slot *r;
	uint64_t off;

	if (*at < g->h->tail)
		*at = g->h->tail;
	while (*at < g->h->head) {
		off = *at;
		if ((r = record_at(g, off)) == NULL)
			return false;
		*at += r->len;
		if (is_filler(r))
			continue;
		fill(out, r, off);
		return true;
	}
	return false;
}

bool
ring_check(struct ring *g)
{
	uint64_t at = g->h->tail, pos = 0, first = 0;

	while (at < g->h->head) {
		const struct ring_slot *r = record_at(g, at);

		if (r == NULL)
			return false;
		at += r->len;
		if (is_filler(r))
			continue;
		if (!is_sound(r) || r->check != check_record(r) ||
		    r->pos <= pos)
			return false;
		if (pos == 0)
			first = r->pos;
		pos = r->pos;
	}
	if (at != g->h->head)
		return false;
	if (g->h->oldest == 0 || g->h->oldest > g->h->last + 1)
		g->h->oldest = pos == 0 ? g->h->last + 1 : first;
	if (pos == 0)
		return g->h->last >= RING_FIRST_POS;
	/* The writer was killed between the two stores: the record counts. */
	g->h->last = MAX(g->h->last, pos);
	return true;
}

/* ---- writing ---- */

/* The oldest record leaves. */
static void
drop_oldest(struct ring *g)
{
	const struct ring_slot *r = record_at(g, g->h->tail);

	if (r == NULL) { /* must not happen; then the whole ring is void */
		__atomic_store_n(&g->h->tail, g->h->head, __ATOMIC_RELEASE);
		g->h->oldest = g->h->last + 1;
		return;
	}
	if (!is_filler(r))
		g->h->oldest = r->pos + 1;
	__atomic_store_n(&g->h->tail, g->h->tail + r->len, __ATOMIC_RELEASE);
}

static void
make_room(struct ring *g, uint64_t n)
{
	while (g->h->head + n - g->h->tail > g->bytes)
		drop_oldest(g);
}

/* Fetches the memory of the next record, which has left the CPU's cache. */
static void
prefetch(const struct ring *g)
{
	const char *p = g->data + g->h->head % g->bytes;

	for (size_t i = 0; i < PREFETCH_BYTES; i += 64)
		__builtin_prefetch(p + i, 1);
	__builtin_prefetch(g->data + g->h->tail % g->bytes);
}

static void
put(struct ring *g, struct ring_record *in, uint32_t len)
{
	struct ring_slot *r = (void *)(g->data + g->h->head % g->bytes);
	char *p = (char *)(r + 1);

	memset((char *)r + len - 8, 0, 8); /* the padding */
	*r = (struct ring_slot){ .len = len,
		.pos = in->pos,
		.origin = in->origin,
		.seq = in->seq,
		.time_us = in->time_us,
		.except = in->except,
		.hash = in->hash,
		.prev = in->prev,
		.prev_pos = in->prev_pos,
		.frame_len = (uint32_t)in->frame.n,
		.channel_len = (uint16_t)in->channel.n };
	memcpy(p, in->channel.p, in->channel.n);
	if (in->frame.n > 0)
		memcpy(p + in->channel.n, in->frame.p, in->frame.n);
	r->check = check_record(r);
}

bool
ring_append(struct ring *g, struct ring_record *in)
{
	uint64_t len = RING_ALIGN(
	    sizeof(struct ring_slot) + in->channel.n + (uint64_t)in->frame.n);
	uint64_t rest = g->bytes - g->h->head % g->bytes;

	if (len > g->bytes / 4 || in->channel.n == 0 ||
	    in->channel.n > UINT16_MAX)
		return false;
	if (len > rest) { /* continues at the front */
		struct ring_slot *r = (void *)(g->data + g->bytes - rest);

		make_room(g, rest);
		r->len = (uint32_t)rest;
		r->check = 0;
		if (rest >= sizeof(*r))
			r->pos = 0;
		__atomic_store_n(
		    &g->h->head, g->h->head + rest, __ATOMIC_RELEASE);
	}
	make_room(g, len);
	in->off = g->h->head;
	in->pos = MAX(in->pos, g->h->last + 1);
	put(g, in, (uint32_t)len);
	__atomic_store_n(&g->h->head, g->h->head + len, __ATOMIC_RELEASE);
	__atomic_store_n(&g->h->last, in->pos, __ATOMIC_RELEASE);
	prefetch(g);
	return true;
}

uint64_t
ring_number(struct ring *g, uint64_t pos)
{
	pos = MAX(pos, g->h->last + 1);
	__atomic_store_n(&g->h->last, pos, __ATOMIC_RELEASE);
	return pos;
}

uint64_t
ring_skip(struct ring *g, uint64_t pos)
{
	/* First, since a record that has left must never seem to be there. */
	g->h->oldest = MAX(pos, g->h->last + 1) + 1;
	__atomic_store_n(&g->h->tail, g->h->head, __ATOMIC_RELEASE);
	return ring_number(g, pos);
}

void
ring_chain(
    struct ring *g, const struct ring_record *in, uint64_t prev, uint64_t pos)
{
	struct ring_slot *r = (void *)(g->data + in->off % g->bytes);

	if (r->prev == prev && r->prev_pos == pos)
		return;
	r->prev = prev;
	r->prev_pos = pos;
	r->check = check_record(r);
}

void
ring_close(struct ring *g)
{
	if (g == NULL)
		return;
	munmap(g->h, g->mapped);
	free(g);
}

uint64_t
ring_epoch(const struct ring *g)
{
	return g->h->epoch;
}

uint64_t
ring_shared(const struct ring *g)
{
	return g->h->shared;
}

uint64_t
ring_last(const struct ring *g)
{
	return g->h->last;
}

uint64_t
ring_oldest(const struct ring *g)
{
	return g->h->oldest;
}

uint64_t
ring_first(void)
{
	return RING_FIRST_POS + 1;
}

uint64_t
ring_bytes(const struct ring *g)
{
	return g->bytes;
}

uint64_t
ring_used(const struct ring *g)
{
	return g->h->head - g->h->tail;
}
