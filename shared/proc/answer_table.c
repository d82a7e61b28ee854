/* SPDX-License-Identifier: MIT */
/*
 * answer_table.c: answers in shared memory, each in a chain of blocks.  An
 * answer counts when the state of its first block says so, which is the last
 * store; the free blocks are found anew by the next broker.  Owns nothing: the
 * mapping lives as long as the processes, and only touched pages use memory.
 * Must never wait, and never trust the stored values to be more than numbers.
 */

#include "shared/proc/answer_table.h"

#include <stdlib.h>
#include <string.h>

#include "shared/base/base.h"
#include "shared/base/buf.h"
#include "shared/base/shm.h"
#include "shared/base/xmalloc.h"

#define BLOCK_BYTES 120
/* While an answer replaces another one, both are there. */
#define SPARE_BYTES (1u << 20)
#define BLOCKS \
	(ANSWERS_MAX + \
	    (ANSWERS_MAX * sizeof(struct head) + ANSWERS_BYTES + \
		SPARE_BYTES) / \
		BLOCK_BYTES)

/* What the bytes of an answer begin with; then the key, then the body. */
struct head {
	uint64_t owner;
	double at;
	uint32_t app, status;
	uint32_t key_len, body_len;
};

enum state {
	BLOCK_OTHER, /* free, or not the first one of its answer */
	BLOCK_FINAL,
	BLOCK_PROVISIONAL
};

struct block {
	uint32_t state;
	uint32_t next; /* of the same answer, or free, too */
	char bytes[BLOCK_BYTES];
};

struct answer_table {
	uint32_t used;        /* blocks that have ever been in use */
	uint32_t free, nfree; /* those of them that are free */
	struct block v[BLOCKS];
};

struct answer_table *
answer_table_map(void)
{
	return shm_map("answers", sizeof(struct answer_table));
}

static size_t
blocks_of(size_t key_len, size_t body_len)
{
	return (sizeof(struct head) + key_len + body_len + BLOCK_BYTES - 1) /
	    BLOCK_BYTES;
}

static struct head
head_of(const struct answer_table *t, uint32_t row)
{
	struct head h;

	memcpy(&h, t->v[row].bytes, sizeof(h));
	return h;
}

/*
 * A process that is killed has done all that stands before an instruction: it
 * is enough that the compiler keeps the order, on both sides.
 */
static void
set_state(struct block *b, enum state state)
{
	__atomic_store_n(&b->state, state, __ATOMIC_RELEASE);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* ---- free blocks ---- */

static void
give(struct answer_table *t, uint32_t i)
{
	t->v[i].next = t->free;
	t->free = i;
	t->nfree++;
}

static uint32_t
take(struct answer_table *t)
{
	uint32_t i = t->free;

	if (t->nfree == 0)
		return t->used++;
	t->nfree--;
	t->free = t->v[i].next;
	return i;
}

/* ---- what an earlier broker has left ---- */

/*
 * Takes the chain that begins here; false: it is none, or damaged, and its
 * blocks are free.
 */
static bool
claim(struct answer_table *t, uint32_t row, bool *taken)
{
	struct head h = head_of(t, row);
	size_t n = blocks_of(h.key_len, h.body_len), got;
	uint32_t i = row;

	if (t->v[row].state != BLOCK_FINAL &&
	    t->v[row].state != BLOCK_PROVISIONAL)
		return false;
	for (got = 0; got < n; got++, i = t->v[i].next) {
		if (i >= t->used || taken[i] ||
		    (i != row && t->v[i].state != BLOCK_OTHER))
			break;
		taken[i] = true;
	}
	if (got == n)
		return true;
	for (i = row; got > 0; got--, i = t->v[i].next)
		taken[i] = false;
	return false;
}

static int
by_time(const void *a, const void *b)
{
	const struct answer_row *x = a, *y = b;

	return (x->at > y->at) - (x->at < y->at);
}

struct answer_row *
answer_table_rows(struct answer_table *t, size_t *n)
{
	struct answer_row *rows;
	bool *taken;

	*n = 0;
	if (t == NULL)
		return NULL;
	t->used = MIN(t->used, BLOCKS);
	t->nfree = 0;
	taken = xcalloc(t->used + 1, sizeof(*taken));
	rows = xcalloc(t->used + 1, sizeof(*rows));
	for (uint32_t i = 0; i < t->used; i++)
		if (claim(t, i, taken))
			rows[(*n)++] =
			    (struct answer_row){ head_of(t, i).at, i };
	for (uint32_t i = 0; i < t->used; i++)
		if (!taken[i]) {
			set_state(&t->v[i], BLOCK_OTHER);
			give(t, i);
		}
	free(taken);
	qsort(rows, *n, sizeof(*rows), by_time);
	return rows;
}

struct answer
answer_table_get(const struct answer_table *t, uint32_t row, struct buf **bytes)
{
	struct head h = head_of(t, row);
	size_t left = sizeof(h) + h.key_len + h.body_len;
	uint32_t i = row;
	struct str all;

	buf_unref(*bytes);
	*bytes = NULL;
	for (size_t n; left > 0; left -= n, i = t->v[i].next) {
		n = MIN(left, BLOCK_BYTES);
		buf_append(bytes, str_make(t->v[i].bytes, n));
	}
	all = str_from(buf_str(*bytes), sizeof(h));
	return (struct answer){ .owner = h.owner,
		.at = h.at,
		.app = h.app,
		.status = h.status,
		.provisional = t->v[row].state == BLOCK_PROVISIONAL,
		.key = str_make(all.p, h.key_len),
		.body = str_from(all, h.key_len) };
}

/* ---- rows ---- */

struct place {
	uint32_t block;
	size_t off;
};

/* Adds bytes to a chain. */
static void
write_bytes(struct answer_table *t, struct place *at, const void *p, size_t n)
{
	const char *from = p;
	struct block *b;
	size_t part;

	for (; n > 0; from += part, n -= part) {
		if (at->off == BLOCK_BYTES) {
			b = &t->v[at->block];
			at->block = b->next = take(t);
			at->off = 0;
		}
		part = MIN(n, BLOCK_BYTES - at->off);
		memcpy(t->v[at->block].bytes + at->off, from, part);
		at->off += part;
	}
}

uint32_t
answer_table_put(struct answer_table *t, const struct answer *a)
{
	struct head h = { .owner = a->owner,
		.at = a->at,
		.app = a->app,
		.status = a->status,
		.key_len = (uint32_t)a->key.n,
		.body_len = (uint32_t)a->body.n };
	struct place at = { .off = 0 };
	uint32_t row;

	if (t == NULL ||
	    blocks_of(a->key.n, a->body.n) > t->nfree + BLOCKS - t->used)
		return ANSWER_NONE;
	row = at.block = take(t);
	write_bytes(t, &at, &h, sizeof(h));
	write_bytes(t, &at, a->key.p, a->key.n);
	write_bytes(t, &at, a->body.p, a->body.n);
	set_state(&t->v[row], a->provisional ? BLOCK_PROVISIONAL : BLOCK_FINAL);
	return row;
}

void
answer_table_drop(struct answer_table *t, uint32_t row)
{
	struct head h;
	uint32_t i = row, next;

	if (t == NULL || row == ANSWER_NONE)
		return;
	h = head_of(t, row);
	set_state(&t->v[row], BLOCK_OTHER);
	for (size_t n = blocks_of(h.key_len, h.body_len); n > 0; n--) {
		next = t->v[i].next;
		give(t, i);
		i = next;
	}
}
