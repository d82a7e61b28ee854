/* SPDX-License-Identifier: MIT */
#ifndef SHARED_CRYPTO_SIGN_H
#define SHARED_CRYPTO_SIGN_H

/*
 * Digests on OpenSSL's EVP, with contexts made once per process.
 * A struct sign_key keeps an HMAC context that is already keyed, so that one
 * signature costs about half a microsecond.
 */

#include <stdbool.h>

#include "shared/base/str.h"

#define SIGN_SHA256_LEN 32
#define SIGN_HEX_LEN 64
#define SIGN_MD5_HEX_LEN 32

struct sign_key;

/* Keyed with the secret; the secret itself is not kept. */
struct sign_key *sign_key_new(struct str secret);
void sign_key_free(struct sign_key *);
/* HMAC-SHA256 over the parts, one after the other. */
void sign_hmac(struct sign_key *, const struct str *parts, size_t n,
    unsigned char out[SIGN_SHA256_LEN]);
/*
 * True when `hex` is exactly the 64 lower-case hex digits of the HMAC of the
 * parts.  Compares in constant time, on decoded bytes.
 */
bool sign_verify(
    struct sign_key *, const struct str *parts, size_t n, struct str hex);
/* Lower-case hex, NUL-terminated. */
void sign_md5_hex(struct str bytes, char out[SIGN_MD5_HEX_LEN + 1]);
/* Sec-WebSocket-Accept of this key (RFC 6455, 4.2.2); NUL-terminated. */
void sign_ws_accept(struct str key, char out[29]);
/* Random lower-case hex digits from the system, NUL-terminated. */
void sign_random_hex(char *out, size_t ndigits);
/* Frees the contexts of the process. */
void sign_cleanup(void);

#endif
