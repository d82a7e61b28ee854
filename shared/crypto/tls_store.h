/* SPDX-License-Identifier: MIT */
#ifndef SHARED_CRYPTO_TLS_STORE_H
#define SHARED_CRYPTO_TLS_STORE_H

/*
 * Memory that the master shares with the processes that it forks.  It holds
 * certificates, private keys and the keys of session tickets, so that workers
 * never open a file, and so that a process that is started later has the same
 * ones.  The master writes, the others read.  Each item has two halves and a
 * generation that counts up when the next half is complete; a reader copies,
 * and then checks whether it was overtaken.
 */

#include <stdint.h>

#include "shared/base/buf.h"
#include "shared/base/str.h"
#include "shared/crypto/cert.h"

/* Bytes of all certificates and keys together. */
#define TLS_BUNDLE_MAX (1u << 20)
/* The key for new tickets, and the previous one. */
#define TLS_TICKET_KEYS 2
/* The lifetime of a ticket, and of a key for new tickets. */
#define TLS_TICKET_SECONDS (12 * 3600)

struct tls_ticket_key {
	unsigned char name[16], mac[32], aes[32];
};

struct tls_store; /* secrets: only for workers */

/* The public part, also for the broker. */
struct cert_board;

/* ---- a bundle: the certificates and keys of a worker, as bytes ---- */

struct tls_bundle {
	bool only_13;       /* nothing older than TLS 1.3 */
	struct str ciphers; /* of TLS 1.2 */
	struct str rest;    /* certificates that were refused */
};

/* Begins a bundle. */
void tls_bundle_init(struct buf **, bool only_13, struct str ciphers);
void tls_bundle_add(struct buf **, struct str cert, struct str key);
/* Wipes and frees it. */
void tls_bundle_free(struct buf *);
/* 0, or -1 when it is damaged. */
int tls_bundle_open(struct tls_bundle *, struct str bytes);
/* 1: the next one; 0: there is no more; -1: damaged. */
int tls_bundle_next(struct tls_bundle *, struct str *cert, struct str *key);

/* ---- the store ---- */

/* Call before there are children; NULL with errno. */
struct tls_store *tls_store_map(void);
/* For a process that must not read it. */
void tls_store_unmap(struct tls_store *);
/* Only the master.  0, or -1 with EFBIG. */
int tls_store_put(struct tls_store *, struct str bundle);
/* Counts up with each put; 0: there is nothing. */
uint32_t tls_store_generation(const struct tls_store *);
/* A copy of the bundle, for tls_bundle_free(); *generation is its. */
struct buf *tls_store_get(const struct tls_store *, uint32_t *generation);

/*
 * Only the master: makes a new key; the previous one stays valid for old
 * tickets.
 */
void tls_store_rotate(struct tls_store *);
uint32_t tls_store_ticket_generation(const struct tls_store *);
/* The newest first. */
void tls_store_tickets(const struct tls_store *,
    struct tls_ticket_key keys[TLS_TICKET_KEYS], uint32_t *generation);

/* ---- the board ---- */

struct cert_board *cert_board_map(void);
/* Only the master; n at most CERT_MAX. */
void cert_board_put(struct cert_board *, const struct cert_info *, size_t n);
/* Returns how many there are; 0 also without a board (NULL). */
size_t cert_board_get(
    const struct cert_board *, struct cert_info out[CERT_MAX]);
/* Whole days that are left; negative when it has expired. */
int64_t cert_days_left(const struct cert_info *, int64_t now);

#endif
