/* SPDX-License-Identifier: MIT */
#ifndef SHARED_CRYPTO_AUTHORITIES_H
#define SHARED_CRYPTO_AUTHORITIES_H

/* A file with the certificates of authorities (PEM), which an option names. */

#include <openssl/types.h>

/*
 * Trusts them: 0, or -1 and *why (free(3) it), a sentence with the name of the
 * option, the path and the reason.
 */
int authorities_load(
    SSL_CTX *, const char *option, const char *path, char **why);
/* Could they be loaded? */
int authorities_check(const char *option, const char *path, char **why);

#endif
