/* SPDX-License-Identifier: MIT */
#ifndef SHARED_CRYPTO_TLS_SET_H
#define SHARED_CRYPTO_TLS_SET_H

/*
 * The OpenSSL contexts of one set of certificates: versions, ciphers, ALPN, the
 * choice by server name, session tickets.  The master makes one as a test, each
 * worker makes one to serve with.
 */

#include <openssl/types.h>

#include "shared/base/str.h"
#include "shared/crypto/tls_store.h"

struct tls_set;

/*
 * The state that handshakes read while they run.  It must outlive every SSL
 * that was made from any of its sets; the set may be replaced meanwhile.
 */
struct tls_home {
	struct tls_set *set;
	struct tls_ticket_key tickets[TLS_TICKET_KEYS];
};

/*
 * Makes the contexts of a bundle (tls_store.h).  NULL and *why (free(3) it) on
 * failure; which: the number of the faulty certificate, from 0, or -1.
 */
struct tls_set *tls_set_new(
    struct tls_home *, struct str bundle, int *which, char **why);
void tls_set_free(struct tls_set *);
/* The context of a new connection. */
SSL_CTX *tls_set_default(const struct tls_set *);
/* Describes each certificate; returns how many. */
size_t tls_set_info(const struct tls_set *, struct cert_info out[CERT_MAX]);

#endif
