/* SPDX-License-Identifier: MIT */
/*
 * sign.c: HMAC-SHA256, MD5, SHA-1 and random digits on OpenSSL's EVP.  Looking
 * an algorithm up by name costs more than the digest of a short text, so it is
 * done once per process, and a struct sign_key owns a context that is keyed
 * once and then only rewound.  OpenSSL keeps the key in that context and wipes
 * it with it.  Must never log what it is given, and never compare a signature
 * in a time that depends on it.
 */

#include "shared/crypto/sign.h"

#include <assert.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdlib.h>

#include "shared/base/base.h"
#include "shared/base/log.h"
#include "shared/base/xmalloc.h"
#include "shared/proc/proc.h"

#define WS_GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" /* RFC 6455, 1.3 */

struct sign_key {
	EVP_MAC_CTX *ctx;
};

/* The process's own; made at the first use. */
static struct {
	EVP_MAC *hmac;
	EVP_MD *md5, *sha1;
	EVP_MD_CTX *ctx;
} evp;

/* OpenSSL fails here only without memory or without the algorithm. */
static void
must(bool ok, const char *what)
{
	if (!ok)
		fatalx("openssl: %s failed", what);
}

struct sign_key *
sign_key_new(struct str secret)
{
	char digest[] = "SHA256";
	OSSL_PARAM params[] = { OSSL_PARAM_utf8_string(OSSL_MAC_PARAM_DIGEST,
				    digest, sizeof(digest) - 1),
		OSSL_PARAM_END };
	const unsigned char *key = (const unsigned char *)secret.p;
	struct sign_key *k = xmalloc(sizeof(*k));

	if (evp.hmac == NULL)
		evp.hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	must(evp.hmac != NULL, "HMAC");
	k->ctx = EVP_MAC_CTX_new(evp.hmac);
	must(k->ctx != NULL, "EVP_MAC_CTX_new");
	/* NULL would mean: the key that is there already. */
	if (key == NULL)
		key = (const unsigned char *)"";
	must(EVP_MAC_init(k->ctx, key, secret.n, params) == 1, "EVP_MAC_init");
	return k;
}

void
sign_key_free(struct sign_key *k)
{
	if (k == NULL)
		return;
	EVP_MAC_CTX_free(k->ctx);
	free(k);
}

void
sign_hmac(struct sign_key *k, const struct str *parts, size_t n,
    unsigned char out[SIGN_SHA256_LEN])
{
	size_t i, len = 0;
	bool ok = EVP_MAC_init(k->ctx, NULL, 0, NULL) == 1;

	for (i = 0; i < n; i++)
		ok = ok &&
		    EVP_MAC_update(k->ctx, (const unsigned char *)parts[i].p,
			parts[i].n) == 1;
	ok = ok && EVP_MAC_final(k->ctx, out, &len, SIGN_SHA256_LEN) == 1;
	must(ok && len == SIGN_SHA256_LEN, "HMAC-SHA256");
}

bool
sign_verify(
    struct sign_key *k, const struct str *parts, size_t n, struct str hex)
{
	unsigned char want[SIGN_SHA256_LEN], got[SIGN_SHA256_LEN];
	bool same;

	if (str_unhex(hex, got, sizeof(got)) == -1)
		return false;
	sign_hmac(k, parts, n, want);
	same = CRYPTO_memcmp(want, got, sizeof(want)) == 0;
	/* The right signature of a wrong request must stay secret. */
	OPENSSL_cleanse(want, sizeof(want));
	return same;
}

/* Digest of a and then b; returns its length. */
static size_t
digest(EVP_MD **md, const char *name, struct str a, struct str b,
    unsigned char out[EVP_MAX_MD_SIZE])
{
	unsigned len = 0;

	if (*md == NULL)
		*md = EVP_MD_fetch(NULL, name, NULL);
	must(*md != NULL, name);
	if (evp.ctx == NULL)
		evp.ctx = EVP_MD_CTX_new();
	must(evp.ctx != NULL, "EVP_MD_CTX_new");
	must(EVP_DigestInit_ex2(evp.ctx, *md, NULL) == 1 &&
		EVP_DigestUpdate(evp.ctx, a.p, a.n) == 1 &&
		EVP_DigestUpdate(evp.ctx, b.p, b.n) == 1 &&
		EVP_DigestFinal_ex(evp.ctx, out, &len) == 1,
	    name);
	return len;
}

void
sign_md5_hex(struct str bytes, char out[SIGN_MD5_HEX_LEN + 1])
{
	unsigned char md[EVP_MAX_MD_SIZE];
	size_t n = digest(&evp.md5, "MD5", bytes, S(""), md);

	assert(2 * n == SIGN_MD5_HEX_LEN);
	str_hex(md, n, out);
}

void
sign_ws_accept(struct str key, char out[29])
{
	unsigned char md[EVP_MAX_MD_SIZE];
	size_t n = digest(&evp.sha1, "SHA1", key, S(WS_GUID), md);

	assert(n == 20); /* 28 characters and a NUL in base64 */
	EVP_EncodeBlock((unsigned char *)out, md, (int)n);
}

void
sign_random_hex(char *out, size_t ndigits)
{
	char hex[2 * sizeof(uint64_t) + 1];
	uint64_t v;
	size_t n;

	for (; ndigits > 0; ndigits -= n) {
		v = proc_random();
		str_hex(&v, sizeof(v), hex);
		n = MIN(ndigits, sizeof(hex) - 1);
		memcpy(out, hex, n);
		out += n;
	}
	*out = '\0';
	OPENSSL_cleanse(&v, sizeof(v));
	OPENSSL_cleanse(hex, sizeof(hex));
}

void
sign_cleanup(void)
{
	EVP_MAC_free(evp.hmac);
	EVP_MD_free(evp.md5);
	EVP_MD_free(evp.sha1);
	EVP_MD_CTX_free(evp.ctx);
	evp.hmac = NULL;
	evp.md5 = evp.sha1 = NULL;
	evp.ctx = NULL;
}
