/* SPDX-License-Identifier: MIT */
/*
 * tls_store.c: certificates and keys in memory that the master and its children
 * share: a mapping with two halves for each item, of which one is complete at
 * any time.  Owns the mappings; the secret one is excluded from core dumps.
 * The reader copies without a lock: the copy is valid unless the master has
 * written twice meanwhile, which the generation shows.  The bytes come from the
 * master, and are checked like bytes from outside all the same.
 */

#include "shared/crypto/tls_store.h"

#include <assert.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <string.h>
#include <sys/mman.h>

#include "shared/base/base.h"
#include "shared/base/log.h"
#include "shared/base/shm.h"

struct tls_store {
	uint32_t generation, ticket_generation;
	struct tls_ticket_key tickets[2][TLS_TICKET_KEYS];
	struct {
		uint32_t len;
		char bytes[TLS_BUNDLE_MAX];
	} half[2];
};

struct cert_board {
	uint32_t generation;
	struct {
		uint32_t n;
		struct cert_info v[CERT_MAX];
	} half[2];
};

static uint32_t
load(const uint32_t *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

/* The copy is valid unless the master has begun to write this half again. */
static bool
is_overtaken(const uint32_t *generation, uint32_t was)
{
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return load(generation) != was;
}

static void
publish(uint32_t *generation, uint32_t next)
{
	__atomic_store_n(generation, next, __ATOMIC_RELEASE);
}

/* 0 means "nothing yet", also after four thousand million. */
static uint32_t
next_generation(uint32_t g)
{
	return g + 1 == 0 ? 2 : g + 1;
}

/* ---- bundles ---- */

static void
put_bytes(struct buf **b, struct str s)
{
	uint32_t n = (uint32_t)s.n;

	buf_append(b, str_make(&n, sizeof(n)));
	buf_append(b, s);
}

static int
take_bytes(struct str *rest, struct str *out)
{
	uint32_t n;

	if (rest->n < sizeof(n))
		return -1;
	memcpy(&n, rest->p, sizeof(n));
	if (n > rest->n - sizeof(n))
		return -1;
	*out = str_make(rest->p + sizeof(n), n);
	*rest = str_from(*rest, sizeof(n) + n);
	return 0;
}

void
tls_bundle_init(struct buf **b, bool only_13, struct str ciphers)
{
	buf_putc(b, only_13 ? 1 : 0);
	put_bytes(b, ciphers);
}

void
tls_bundle_add(struct buf **b, struct str cert, struct str key)
{
	/* Growing must not leave a copy of a key behind. */
	struct buf *old = *b;
	size_t need = cert.n + key.n + 2 * sizeof(uint32_t);

	if (buf_room(old) < need) {
		*b = buf_new(old->len + need + TLS_BUNDLE_MAX / 4);
		buf_append(b, buf_str(old));
		tls_bundle_free(old);
	}
	put_bytes(b, cert);
	put_bytes(b, key);
}

void
tls_bundle_free(struct buf *b)
{
	if (b == NULL)
		return;
	OPENSSL_cleanse(b->data, b->len);
	buf_unref(b);
}

int
tls_bundle_open(struct tls_bundle *t, struct str bytes)
{
	if (bytes.n == 0)
		return -1;
	t->only_13 = bytes.p[0] != 0;
	t->rest = str_from(bytes, 1);
	return take_bytes(&t->rest, &t->ciphers);
}

int
tls_bundle_next(struct tls_bundle *t, struct str *cert, struct str *key)
{
	if (t->rest.n == 0)
		return 0;
	if (take_bytes(&t->rest, cert) == -1 || take_bytes(&t->rest, key) == -1)
		return -1;
	return 1;
}

/* ---- the store ---- */

struct tls_store *
tls_store_map(void)
{
	struct tls_store *s = shm_map("tls", sizeof(*s));

	if (s != NULL)
		madvise(s, sizeof(*s), MADV_DONTDUMP);
	return s;
}

void
tls_store_unmap(struct tls_store *s)
{
	if (s != NULL)
		munmap(s, sizeof(*s));
}

int
tls_store_put(struct tls_store *s, struct str bundle)
{
	uint32_t next = next_generation(s->generation), old;

	if (bundle.n > TLS_BUNDLE_MAX) {
		errno = EFBIG;
		return -1;
	}
	old = s->half[next & 1].len;
	s->half[next & 1].len = (uint32_t)bundle.n;
	memcpy(s->half[next & 1].bytes, bundle.p, bundle.n);
	if (old > bundle.n)
		OPENSSL_cleanse(
		    s->half[next & 1].bytes + bundle.n, old - bundle.n);
	publish(&s->generation, next);
	return 0;
}

uint32_t
tls_store_generation(const struct tls_store *s)
{
	return s == NULL ? 0 : load(&s->generation);
}

struct buf *
tls_store_get(const struct tls_store *s, uint32_t *generation)
{
	struct buf *b = NULL;
	uint32_t g, n;

	do {
		tls_bundle_free(b);
		g = load(&s->generation);
		n = MIN(s->half[g & 1].len, TLS_BUNDLE_MAX);
		b = buf_new(n + 1u);
		memcpy(b->data, s->half[g & 1].bytes, n);
		b->len = n;
	} while (is_overtaken(&s->generation, g));
	*generation = g;
	return b;
}

void
tls_store_rotate(struct tls_store *s)
{
	uint32_t next = next_generation(s->ticket_generation);
	struct tls_ticket_key *keys = s->tickets[next & 1];

	memmove(keys + 1, s->tickets[(next & 1) ^ 1],
	    sizeof(*keys) * (TLS_TICKET_KEYS - 1));
	if (RAND_bytes(keys->name, sizeof(keys->name)) != 1 ||
	    RAND_bytes(keys->mac, sizeof(keys->mac)) != 1 ||
	    RAND_bytes(keys->aes, sizeof(keys->aes)) != 1)
		fatalx("no random bytes for session tickets");
	if (s->ticket_generation == 0) /* nobody may guess the one before */
		keys[1] = keys[0];
	publish(&s->ticket_generation, next);
}

uint32_t
tls_store_ticket_generation(const struct tls_store *s)
{
	return s == NULL ? 0 : load(&s->ticket_generation);
}

void
tls_store_tickets(const struct tls_store *s,
    struct tls_ticket_key keys[TLS_TICKET_KEYS], uint32_t *generation)
{
	uint32_t g;

	do {
		g = load(&s->ticket_generation);
		memcpy(keys, s->tickets[g & 1], sizeof(s->tickets[0]));
	} while (is_overtaken(&s->ticket_generation, g));
	*generation = g;
}

/* ---- the board ---- */

struct cert_board *
cert_board_map(void)
{
	return shm_map("certs", sizeof(struct cert_board));
}

void
cert_board_put(struct cert_board *b, const struct cert_info *v, size_t n)
{
	uint32_t next = next_generation(b->generation);

	assert(n <= CERT_MAX);
	b->half[next & 1].n = (uint32_t)n;
	if (n > 0)
		memcpy(b->half[next & 1].v, v, n * sizeof(*v));
	publish(&b->generation, next);
}

size_t
cert_board_get(const struct cert_board *b, struct cert_info out[CERT_MAX])
{
	uint32_t g, n;

	if (b == NULL)
		return 0;
	do {
		g = load(&b->generation);
		n = MIN(b->half[g & 1].n, (uint32_t)CERT_MAX);
		memcpy(out, b->half[g & 1].v, n * sizeof(*out));
	} while (is_overtaken(&b->generation, g));
	return n;
}

int64_t
cert_days_left(const struct cert_info *f, int64_t now)
{
	int64_t left = f->expires - now;

	return left >= 0 ? left / 86400 : -((-left + 86399) / 86400);
}
