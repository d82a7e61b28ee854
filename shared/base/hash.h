/* SPDX-License-Identifier: MIT */
#ifndef SHARED_BASE_HASH_H
#define SHARED_BASE_HASH_H

/*
 * A hash table with intrusive nodes: an element embeds a struct hash_node
 * and is found by its 64-bit hash and a comparison.  The table owns no
 * element.  Strings are hashed with SipHash-1-3 and a random key of the
 * process, so that nobody outside can choose colliding names.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/str.h"

struct hash_node {
	struct hash_node *next;
	uint64_t hash;
};

struct hash {
	struct hash_node **slots; /* NULL while empty */
	size_t nslots;            /* a power of two */
	size_t n;                 /* elements */
};

/* Draws the process's key; call once before the first hash_str(). */
void hash_seed(void);
/* SipHash-1-3 of the bytes; `salt` distinguishes key spaces (an app). */
uint64_t hash_str(struct str s, uint64_t salt);
/*
 * SipHash-1-3 with this key of the eight bytes of `first` (little-endian)
 * and then s: what hash_str() does with the process's key and the salt.
 */
uint64_t hash_sip13(uint64_t k0, uint64_t k1, uint64_t first, struct str s);
/*
 * Mixes an integer key; every step can be reversed, so that two numbers never
 * have the same hash.  Has no secret: only for ids that the server draws.
 */
uint64_t hash_u64(uint64_t v);

typedef bool (*hash_eq)(const struct hash_node *, const void *key);

/*
 * The element with this hash for which eq(node, key), or NULL.  eq NULL: the
 * hash alone names an element.
 */
struct hash_node *hash_find(
    const struct hash *, uint64_t hash, hash_eq eq, const void *key);
/*
 * The element that was inserted with hash_u64(v), or NULL.  Two numbers never
 * have the same hash, so that no comparison is needed.
 */
struct hash_node *hash_find_u64(const struct hash *, uint64_t v);
/* The node must be in no table.  Amortised O(1). */
void hash_insert(struct hash *, struct hash_node *, uint64_t hash);
/* The node must be in this table. */
void hash_remove(struct hash *, struct hash_node *);
struct hash_node *hash_first(const struct hash *);
/* The one after it, or NULL. */
struct hash_node *hash_next(const struct hash *, const struct hash_node *);
/*
 * Walks all elements in no order; the body must not insert any, or remove the
 * current one.
 */
#define HASH_FOREACH(n, h) \
	for ((n) = hash_first(h); (n) != NULL; (n) = hash_next(h, n))
/* The same, and the body may remove or free the current element. */
#define HASH_FOREACH_SAFE(n, tmp, h) \
	for ((n) = hash_first(h); \
	     (n) != NULL && ((tmp) = hash_next(h, n), true); (n) = (tmp))
/*
 * The same in portions, over several turns: calls fn for about n elements;
 * true: more are left.  { 0 } is the beginning.  fn may remove its element and
 * insert others.  If the table has grown the walk starts again, so that every
 * element that stays is seen, once or more often.
 */
struct hash_cursor {
	size_t at, nslots;
};
bool hash_walk(struct hash *, struct hash_cursor *, size_t n,
    void (*fn)(void *arg, struct hash_node *), void *arg);
/* Frees the slots; the elements are the caller's. */
void hash_clear(struct hash *);

#endif
