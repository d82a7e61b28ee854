/* SPDX-License-Identifier: MIT */
#ifndef SHARED_CRYPTO_CERT_H
#define SHARED_CRYPTO_CERT_H

/* A certificate with its chain and its private key, from PEM bytes. */

#include <openssl/types.h>
#include <stdbool.h>
#include <stdint.h>

#include "shared/base/str.h"

#define CERT_MAX 32         /* certificates of one server */
#define CERT_NAME_MAX 128   /* bytes of a name, with its NUL */
#define CERT_PRINT_LEN 64   /* hex digits of a fingerprint */
#define CERT_FILE_MAX 65536 /* bytes of one PEM file */

struct stack_st_X509;

struct cert {
	X509 *leaf;
	struct stack_st_X509 *chain; /* its issuers, in order */
	EVP_PKEY *key;
};

/* Its public fields. */
struct cert_info {
	char name[CERT_NAME_MAX];             /* the first one it is for */
	int64_t expires;                      /* seconds since 1970 */
	char fingerprint[CERT_PRINT_LEN + 1]; /* SHA-256 */
};

/*
 * 0, or -1 and *why: a static sentence.  A key that needs a passphrase or does
 * not belong to the certificate is refused, and so is a damaged chain; an
 * expired certificate is not.
 */
int cert_parse(
    struct cert *, struct str pem, struct str key_pem, const char **why);
/* Frees all and wipes the key. */
void cert_clear(struct cert *);
void cert_info(const struct cert *, struct cert_info *);
/* Is it for this host name?  wildcard: also by *.example.com. */
bool cert_covers(const struct cert *, struct str host, bool wildcard);
/* Are both for the same names, with keys of another kind (RSA and EC)? */
bool cert_is_sibling(const struct cert *, const struct cert *);

#endif
