/* SPDX-License-Identifier: MIT */
/*
 * hash.c: chained hash tables of intrusive nodes, and the keyed hash of
 * strings.  The table owns its slots and no element; a node remembers its
 * hash, so that growing never looks at an element.  The number of slots is a
 * power of two and never below the number of elements; it never shrinks, so
 * that removing while walking stays simple.
 *
 * SipHash-1-3 follows Aumasson and Bernstein, "SipHash: a fast short-input
 * PRF" (2012), with one round for each word and three at the end.  Its key is
 * the process's own and must never leave the process.
 */

#include "shared/base/hash.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "shared/base/base.h"
#include "shared/base/log.h"
#include "shared/base/xmalloc.h"

#define MIN_SLOTS 2

static struct {
	uint64_t k0, k1;
	bool drawn;
} seed;

struct sip {
	uint64_t v0, v1, v2, v3;
};

static inline uint64_t
rotl(uint64_t v, int bits)
{
	return v << bits | v >> (64 - bits);
}

static inline void
sip_round(struct sip *s)
{
	s->v0 += s->v1;
	s->v2 += s->v3;
	s->v1 = rotl(s->v1, 13) ^ s->v0;
	s->v3 = rotl(s->v3, 16) ^ s->v2;
	s->v0 = rotl(s->v0, 32);
	s->v2 += s->v1;
	s->v0 += s->v3;
	s->v1 = rotl(s->v1, 17) ^ s->v2;
	s->v3 = rotl(s->v3, 21) ^ s->v0;
	s->v2 = rotl(s->v2, 32);
}

static inline void
sip_word(struct sip *s, uint64_t word)
{
	s->v3 ^= word;
	sip_round(s);
	s->v0 ^= word;
}

void
hash_seed(void)
{
	uint64_t key[2];
	ssize_t n;

	if (seed.drawn)
		return; /* existing tables must keep their hashes */
	do {
		n = getrandom(key, sizeof(key), 0);
	} while (n == -1 && errno == EINTR);
	if (n != (ssize_t)sizeof(key))
		fatal("no random bytes from the system");
	seed.k0 = key[0];
	seed.k1 = key[1];
	seed.drawn = true;
}

uint64_t
hash_sip13(uint64_t k0, uint64_t k1, uint64_t first, struct str s)
{
	struct sip v = { k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d,
		k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573 };
	uint64_t word;
	size_t left = s.n;
	const char *p = s.p;

	sip_word(&v, first);
	for (; left >= sizeof(word); left -= sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		sip_word(&v, le64toh(word));
		p += sizeof(word);
	}
	word = 0;
	if (left != 0)
		memcpy(&word, p, left);
	/* The highest byte holds the length, including the first word. */
	sip_word(&v, le64toh(word) | (uint64_t)(s.n + 8) << 56);
	v.v2 ^= 0xff;
	sip_round(&v);
	sip_round(&v);
	sip_round(&v);
	return v.v0 ^ v.v1 ^ v.v2 ^ v.v3;
}

uint64_t
hash_str(struct str s, uint64_t salt)
{
	assert(seed.drawn);
	return hash_sip13(seed.k0, seed.k1, salt, s);
}

uint64_t
hash_u64(uint64_t v)
{
	/* Odd multipliers and folds: every bit reaches the low ones. */
	v = (v ^ v >> 32) * 0x9e3779b97f4a7c15;
	v = (v ^ v >> 29) * 0xbf58476d1ce4e5b9;
	return v ^ v >> 32;
}

static void
put(struct hash *h, struct hash_node *node)
{
	struct hash_node **slot = &h->slots[node->hash & (h->nslots - 1)];

	node->next = *slot;
	*slot = node;
}

static void
grow(struct hash *h)
{
	size_t i, nold = h->nslots;
	struct hash_node **old = h->slots, *node, *next;

	h->nslots = nold == 0 ? MIN_SLOTS : nold * 2;
	h->slots = xcalloc(h->nslots, sizeof(h->slots[0]));
	for (i = 0; i < nold; i++) {
		for (node = old[i]; node != NULL; node = next) {
			next = node->next;
			put(h, node);
		}
	}
	free(old);
}

struct hash_node *
hash_find(const struct hash *h, uint64_t hash, hash_eq eq, const void *key)
{
	struct hash_node *node;

	if (h->n == 0)
		return NULL;
	node = h->slots[hash & (h->nslots - 1)];
	while (node != NULL &&
	    (node->hash != hash || (eq != NULL && !eq(node, key))))
		node = node->next;
	return node;
}

struct hash_node *
hash_find_u64(const struct hash *h, uint64_t v)
{
	return hash_find(h, hash_u64(v), NULL, NULL);
}

void
hash_insert(struct hash *h, struct hash_node *node, uint64_t hash)
{
	if (h->n == h->nslots)
		grow(h);
	node->hash = hash;
	put(h, node);
	h->n++;
}

void
hash_remove(struct hash *h, struct hash_node *node)
{
	struct hash_node **at;

	assert(h->n > 0);
	at = &h->slots[node->hash & (h->nslots - 1)];
	while (*at != node) {
		assert(*at != NULL); /* it is in no table, or in another */
		at = &(*at)->next;
	}
	*at = node->next;
	node->next = NULL;
	h->n--;
}

/* The first element at slot i or after it. */
static struct hash_node *
first_from(const struct hash *h, size_t i)
{
	for (; i < h->nslots; i++)
		if (h->slots[i] != NULL)
			return h->slots[i];
	return NULL;
}

struct hash_node *
hash_first(const struct hash *h)
{
	return h->n == 0 ? NULL : first_from(h, 0);
}

struct hash_node *
hash_next(const struct hash *h, const struct hash_node *node)
{
	if (node->next != NULL)
		return node->next;
	return first_from(h, (node->hash & (h->nslots - 1)) + 1);
}

/* Looking at an empty slot costs about a sixteenth of an element. */
bool
hash_walk(struct hash *h, struct hash_cursor *cur, size_t n,
    void (*fn)(void *, struct hash_node *), void *arg)
{
	size_t left = n * 16;
	struct hash_node *node, *next;

	for (;;) {
		if (cur->nslots != h->nslots)
			*cur = (struct hash_cursor){ .nslots = h->nslots };
		if (cur->at == h->nslots)
			return false;
		if (left == 0)
			return true;
		left--;
		node = h->slots[cur->at++];
		for (; node != NULL && cur->nslots == h->nslots; node = next) {
			next = node->next;
			left -= MIN(left, 16);
			fn(arg, node);
		}
	}
}

void
hash_clear(struct hash *h)
{
	free(h->slots);
	*h = (struct hash){ 0 };
}
