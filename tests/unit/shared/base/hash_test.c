/* SPDX-License-Identifier: MIT */
/* hash.c: known values of SipHash-1-3, and the table against a plain array. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "shared/base/base.h"
#include "shared/base/hash.h"
#include "shared/base/xmalloc.h"

#define MANY 5000

struct item {
	struct hash_node node;
	unsigned id;
	bool in;
};

static struct item items[MANY];

static bool
is_item(const struct hash_node *node, const void *key)
{
	const struct item *it = (const void *)node;

	return it->id == *(const unsigned *)key;
}

/*
 * Values of an independent implementation (CPython 3.11's bytes.__hash__ with
 * a fixed PYTHONHASHSEED) for the bytes 0, 1, 2 … n - 1.
 */
static void
sip_known_values(void **state)
{
	static const struct {
		uint64_t k0, k1;
		size_t n;
		uint64_t want;
	} rows[] = {
		{ 0, 0, 8, 0xead411e67ebe2eea },
		{ 0, 0, 9, 0x75927f9d95124362 },
		{ 0, 0, 15, 0xf30eb725bb91c9ea },
		{ 0, 0, 16, 0x8972188433a5c5b7 },
		{ 0, 0, 17, 0x4883c49a2c009c1d },
		{ 0, 0, 23, 0x37332b1389daa4ff },
		{ 0, 0, 64, 0x75e05fd5bbc870c6 },
		{ 0xdc504fd368cd90af, 0xb920bb9ffe99e9c1, 8,
		    0x60866c3c108c6afb },
		{ 0xdc504fd368cd90af, 0xb920bb9ffe99e9c1, 9,
		    0x68814005f7469e03 },
		{ 0xdc504fd368cd90af, 0xb920bb9ffe99e9c1, 15,
		    0x94ace24d68c18cf8 },
		{ 0xdc504fd368cd90af, 0xb920bb9ffe99e9c1, 16,
		    0x339176f3ac59ce05 },
		{ 0xdc504fd368cd90af, 0xb920bb9ffe99e9c1, 17,
		    0xed2706b414c296f1 },
		{ 0xdc504fd368cd90af, 0xb920bb9ffe99e9c1, 23,
		    0xad71bad831e3a42d },
		{ 0xdc504fd368cd90af, 0xb920bb9ffe99e9c1, 64,
		    0x91639ef7de8d52cb },
	};
	char *bytes;
	size_t i, j;

	(void)state;
	for (i = 0; i < nitems(rows); i++) {
		bytes = xmalloc(rows[i].n);
		for (j = 0; j < rows[i].n; j++)
			bytes[j] = (char)j;
		assert_int_equal(
		    hash_sip13(rows[i].k0, rows[i].k1, 0x0706050403020100,
			str_make(bytes + 8, rows[i].n - 8)),
		    rows[i].want);
		free(bytes);
	}
}

static void
strings(void **state)
{
	struct str none = { NULL, 0 };

	(void)state;
	assert_int_equal(hash_str(S("room"), 1), hash_str(S("room"), 1));
	assert_int_not_equal(hash_str(S("room"), 1), hash_str(S("room"), 2));
	assert_int_not_equal(hash_str(S("room"), 1), hash_str(S("rooms"), 1));
	assert_int_not_equal(hash_str(S("a"), 1), hash_str(S("a\0"), 1));
	assert_int_equal(hash_str(none, 1), hash_str(S(""), 1));
	/* A second call must not make strings that are in a table lost. */
	{
		uint64_t before = hash_str(S("room"), 1);

		hash_seed();
		assert_int_equal(hash_str(S("room"), 1), before);
	}
}

/* Every one of the low bits takes both values for small numbers. */
static void
integers_spread(void **state)
{
	unsigned counts[64] = { 0 };
	unsigned i, bit;

	(void)state;
	for (i = 0; i < 4096; i++)
		for (bit = 0; bit < 64; bit++)
			counts[bit] += (hash_u64(i << 8) >> bit & 1) != 0;
	for (bit = 0; bit < 64; bit++)
		assert_in_range(counts[bit], 4096 / 2 - 400, 4096 / 2 + 400);
	assert_int_not_equal(hash_u64(0), hash_u64(1));
}

static size_t
count_all(const struct hash *h)
{
	struct hash_node *node;
	size_t n = 0;

	HASH_FOREACH(node, h) {
		assert_true(((struct item *)(void *)node)->in);
		n++;
	}
	return n;
}

/* `mask` makes collisions, so that chains are long. */
static void
against_an_array(uint64_t mask)
{
	struct hash h = { 0 };
	struct hash_node *found;
	unsigned step, id, seed = 1;
	struct item *it;
	size_t n = 0;

	memset(items, 0, sizeof(items));
	for (step = 0; step < 20 * MANY; step++) {
		seed = seed * 1103515245 + 12345;
		id = (seed >> 8) % MANY;
		it = &items[id];
		found = hash_find(&h, hash_u64(id) & mask, is_item, &id);
		assert_ptr_equal(found, it->in ? &it->node : NULL);
		if (it->in) {
			hash_remove(&h, &it->node);
			n--;
		} else {
			it->id = id;
			hash_insert(&h, &it->node, hash_u64(id) & mask);
			n++;
		}
		it->in = !it->in;
		assert_int_equal(h.n, n);
		assert_true(h.nslots >= n);
		assert_int_equal(h.nslots & (h.nslots - 1), 0);
		if (step % MANY == 0)
			assert_int_equal(count_all(&h), n);
	}
	hash_clear(&h);
	assert_null(h.slots);
	assert_null(hash_first(&h));
}

static void
table(void **state)
{
	(void)state;
	against_an_array(UINT64_MAX);
}

static void
table_with_collisions(void **state)
{
	(void)state;
	against_an_array(0x3f);
}

/* Elements with one hash are told apart by the comparison. */
static void
one_hash_for_all(void **state)
{
	struct hash h = { 0 };
	unsigned i;

	(void)state;
	for (i = 0; i < 20; i++) {
		items[i] = (struct item){ .id = i, .in = true };
		hash_insert(&h, &items[i].node, 7);
	}
	for (i = 0; i < 20; i++)
		assert_ptr_equal(hash_find(&h, 7, is_item, &i), &items[i].node);
	i = 20;
	assert_null(hash_find(&h, 7, is_item, &i));
	i = 3;
	assert_null(hash_find(&h, 8, is_item, &i));
	assert_int_equal(count_all(&h), 20);
	hash_clear(&h);
}

static void
removing_while_walking(void **state)
{
	struct hash_node *node, *next;
	struct hash h = { 0 };
	unsigned i, seen = 0;

	(void)state;
	for (i = 0; i < 1000; i++) {
		items[i] = (struct item){ .id = i, .in = true };
		hash_insert(&h, &items[i].node, hash_u64(i));
	}
	HASH_FOREACH_SAFE(node, next, &h) {
		if (((struct item *)(void *)node)->id % 3 != 0)
			hash_remove(&h, node);
		seen++;
	}
	assert_int_equal(seen, 1000);
	assert_int_equal(count_all(&h), 334);
	HASH_FOREACH_SAFE(node, next, &h) {
		hash_remove(&h, node);
	}
	assert_int_equal(h.n, 0);
	assert_null(hash_first(&h));
	hash_clear(&h);
}

static void
empty(void **state)
{
	struct hash h = { 0 };
	unsigned id = 1;

	(void)state;
	assert_null(hash_find(&h, 1, is_item, &id));
	assert_null(hash_first(&h));
	hash_clear(&h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sip_known_values),
		cmocka_unit_test(strings),
		cmocka_unit_test(integers_spread),
		cmocka_unit_test(table),
		cmocka_unit_test(table_with_collisions),
		cmocka_unit_test(one_hash_for_all),
		cmocka_unit_test(removing_while_walking),
		cmocka_unit_test(empty),
	};

	hash_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
