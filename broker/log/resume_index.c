/* SPDX-License-Identifier: MIT */
/*
 * resume_index.c: a hash table of rows with linear probing, at most seven
 * eighths full.  It grows by a quarter, so that few slots are free.  Owns them.
 */

#include "broker/log/resume_index.h"

#include <stdlib.h>
#include <string.h>

#include "shared/base/base.h"
#include "shared/base/hash.h"
#include "shared/base/xmalloc.h"

#define MIN_SLOTS 16

struct id_key {
	uint32_t app;
	struct session_id id;
};

static uint64_t
hash_id(uint32_t app, const struct session_id *id)
{
	return hash_str(str_make((const char *)id, sizeof(*id)), app);
}

uint64_t
resume_index_hash_id(
    const struct session_table *t, const struct session_row *row)
{
	struct session_id id = session_row_id(t, row);

	return hash_id(row->app, &id);
}

static bool
id_eq(const struct session_table *t, const struct session_row *row,
    const void *key)
{
	const struct id_key *k = key;
	struct session_id id;

	if (row->app != k->app || row->id_len != k->id.len ||
	    memcmp(row->id, k->id.bits, sizeof(row->id)) != 0)
		return false;
	id = session_row_id(t, row);
	return memcmp(&id, &k->id, sizeof(id)) == 0;
}

uint64_t
resume_index_hash_sid(
    const struct session_table *t, const struct session_row *row)
{
	return hash_u64(row->sid);
}

static bool
sid_eq(const struct session_table *t, const struct session_row *row,
    const void *key)
{
	return row->sid == *(const uint64_t *)key;
}

/* The slot where the search for this hash begins. */
static uint32_t
first(const struct resume_index *x, uint64_t hash)
{
	return (uint32_t)((uint64_t)(uint32_t)hash * x->nslots >> 32);
}

static uint32_t
after(const struct resume_index *x, uint32_t i)
{
	return i + 1 == x->nslots ? 0 : i + 1;
}

static struct session_row *
find(const struct resume_index *x, struct session_table *t, uint64_t hash,
    bool (*eq)(
	const struct session_table *, const struct session_row *, const void *),
    const void *key)
{
	if (x->n == 0)
		return NULL;
	for (uint32_t i = first(x, hash);; i = after(x, i)) {
		uint32_t row = x->slots[i];

		if (row == 0)
			return NULL;
		if (eq(t, &t->rows[row - 1], key))
			return &t->rows[row - 1];
	}
}

struct session_row *
resume_index_id(const struct resume_index *x, struct session_table *t,
    uint32_t app, struct str id)
{
	struct id_key k = { app, session_id_pack(id) };

	return find(x, t, hash_id(app, &k.id), id_eq, &k);
}

struct session_row *
resume_index_sid(
    const struct resume_index *x, struct session_table *t, uint64_t sid)
{
	return find(x, t, hash_u64(sid), sid_eq, &sid);
}

static void
put(struct resume_index *x, const struct session_table *t, uint32_t row)
{
	uint32_t i = first(x, x->hash(t, &t->rows[row]));

	while (x->slots[i] != 0)
		i = after(x, i);
	x->slots[i] = row + 1;
}

static void
grow(struct resume_index *x, const struct session_table *t)
{
	struct resume_index old = *x;

	x->nslots = MAX(old.nslots + old.nslots / 4, MIN_SLOTS);
	x->slots = xcalloc(x->nslots, sizeof(x->slots[0]));
	for (uint32_t i = 0; i < old.nslots; i++)
		if (old.slots[i] != 0)
			put(x, t, old.slots[i] - 1);
	free(old.slots);
}

void
resume_index_insert(
    struct resume_index *x, const struct session_table *t, uint32_t row)
{
	if (x->n >= x->nslots - x->nslots / 8)
		grow(x, t);
	put(x, t, row);
	x->n++;
}

void
resume_index_remove(
    struct resume_index *x, const struct session_table *t, uint32_t row)
{
	uint32_t i = first(x, x->hash(t, &t->rows[row]));

	while (x->slots[i] != row + 1)
		i = after(x, i);
	x->slots[i] = 0;
	x->n--;
	/* Those behind it may have stood there only because of it. */
	for (i = after(x, i); x->slots[i] != 0; i = after(x, i)) {
		uint32_t moved = x->slots[i] - 1;

		x->slots[i] = 0;
		put(x, t, moved);
	}
}

void
resume_index_clear(struct resume_index *x)
{
	free(x->slots);
	*x = (struct resume_index){ .hash = x->hash };
}
