/* SPDX-License-Identifier: MIT */
/*
 * tls_set.c: makes OpenSSL contexts from certificates.  One context for each
 * certificate (two for the same names with different kinds of keys share one),
 * chosen by the name that the client asks for: exact names first, then
 * wildcards, else the first certificate.  Sessions live in tickets only, so
 * that any worker can resume them; nothing is stored for a client that has
 * left.  Must never hold a connection.
 */

#include "shared/crypto/tls_set.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <string.h>

#include "shared/base/base.h"
#include "shared/base/xmalloc.h"

struct tls_set {
	size_t n;
	struct cert certs[CERT_MAX];
	SSL_CTX *contexts[CERT_MAX]; /* of each; siblings have the same */
};

/* ---- what handshakes ask ---- */

static const struct tls_set *
set_of(SSL *ssl)
{
	const struct tls_home *home =
	    SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

	return home->set;
}

static int
on_server_name(SSL *ssl, int *alert, void *arg)
{
	struct str host =
	    str_of(SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name));
	const struct tls_set *set = set_of(ssl);

	if (host.n == 0 || set == NULL)
		return SSL_TLSEXT_ERR_NOACK;
	for (int wildcard = 0; wildcard <= 1; wildcard++) {
		for (size_t i = 0; i < set->n; i++) {
			if (!cert_covers(&set->certs[i], host, wildcard))
				continue;
			SSL_set_SSL_CTX(ssl, set->contexts[i]);
			return SSL_TLSEXT_ERR_OK;
		}
	}
	return SSL_TLSEXT_ERR_NOACK; /* falls back to the first certificate */
}

/* RFC 7301: http/1.1, or no connection. */
static int
on_alpn(SSL *ssl, const unsigned char **out, unsigned char *outlen,
    const unsigned char *in, unsigned int inlen, void *arg)
{
	static const unsigned char ours[] = "http/1.1";
	struct str rest = str_make(in, inlen);

	while (rest.n > 0) {
		size_t n = (unsigned char)rest.p[0];

		rest = str_from(rest, 1);
		if (str_eq(str_make(rest.p, MIN(n, rest.n)), S("http/1.1"))) {
			*out = ours;
			*outlen = sizeof(ours) - 1;
			return SSL_TLSEXT_ERR_OK;
		}
		rest = str_from(rest, n);
	}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* ---- session tickets (RFC 5077; SSL_CTX_set_tlsext_ticket_key_cb(3)) ---- */

static int
set_mac(EVP_MAC_CTX *mac, const struct tls_ticket_key *k)
{
	unsigned char key[sizeof(k->mac)];
	char digest[] = "SHA256";
	OSSL_PARAM params[3];
	int r;

	memcpy(key, k->mac, sizeof(key));
	params[0] = OSSL_PARAM_construct_octet_string(
	    OSSL_MAC_PARAM_KEY, key, sizeof(key));
	params[1] =
	    OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0);
	params[2] = OSSL_PARAM_construct_end();
	r = EVP_MAC_CTX_set_params(mac, params);
	OPENSSL_cleanse(key, sizeof(key));
	return r;
}

static int
seal_ticket(const struct tls_ticket_key *k, unsigned char *name,
    unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
	memcpy(name, k->name, sizeof(k->name));
	if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1 ||
	    EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, k->aes, iv) !=
		1 ||
	    set_mac(mac, k) != 1)
		return -1;
	return 1;
}

/* 1: sealed with a known key, 2: and needs a new ticket, 0: unknown. */
static int
on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv,
    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int sealing)
{
	const struct tls_home *home =
	    SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	const struct tls_ticket_key *k;

	if (sealing)
		return seal_ticket(&home->tickets[0], name, iv, cipher, mac);
	for (int i = 0; i < TLS_TICKET_KEYS; i++) {
		k = &home->tickets[i];
		if (memcmp(name, k->name, sizeof(k->name)) != 0)
			continue;
		if (EVP_DecryptInit_ex(
			cipher, EVP_aes_256_cbc(), NULL, k->aes, iv) != 1 ||
		    set_mac(mac, k) != 1)
			return -1;
		return i == 0 ? 1 : 2;
	}
	return 0;
}

/* ---- making contexts ---- */

static void
set_up(SSL_CTX *ctx, struct tls_home *home)
{
	static const unsigned char id[] = "pusherd";

	SSL_CTX_set_app_data(ctx, home);
	SSL_CTX_set_options(ctx,
	    SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
		SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
		SSL_OP_IGNORE_UNEXPECTED_EOF);
	/* One record for each call: a client may send key updates without end.
	 */
	SSL_CTX_clear_mode(ctx, SSL_MODE_AUTO_RETRY);
	SSL_CTX_set_mode(ctx,
	    SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
		SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_session_id_context(ctx, id, sizeof(id) - 1);
	SSL_CTX_set_timeout(ctx, TLS_TICKET_SECONDS);
	SSL_CTX_set_num_tickets(ctx, 1);
	SSL_CTX_set_tlsext_servername_callback(ctx, on_server_name);
	SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
	SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket);
}

/* The last error of OpenSSL, as a sentence; free(3) it. */
static char *
complaint(const char *what)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());
	char *s = xasprintf("%s: %s", what, reason == NULL ? "?" : reason);

	ERR_clear_error();
	return s;
}

static SSL_CTX *
context_new(struct tls_home *home, const struct tls_bundle *bundle, char **why)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	char *ciphers = str_dup(bundle->ciphers);
	int r = 0;

	if (ctx != NULL) {
		set_up(ctx, home);
		if (SSL_CTX_set_min_proto_version(ctx,
			bundle->only_13 ? TLS1_3_VERSION : TLS1_2_VERSION) == 1)
			r = SSL_CTX_set_cipher_list(ctx, ciphers);
	}
	free(ciphers);
	if (r == 1)
		return ctx;
	*why = complaint("tls_ciphers");
	SSL_CTX_free(ctx);
	return NULL;
}

/* The context of the newest certificate: its own, or that of a sibling. */
static SSL_CTX *
context_for(struct tls_set *set, struct tls_home *home,
    const struct tls_bundle *bundle, char **why)
{
	const struct cert *c = &set->certs[set->n];

	for (size_t i = 0; i < set->n; i++) {
		if (!cert_is_sibling(&set->certs[i], c))
			continue;
		SSL_CTX_up_ref(set->contexts[i]);
		return set->contexts[i];
	}
	return context_new(home, bundle, why);
}

static int
add(struct tls_set *set, struct tls_home *home, const struct tls_bundle *bundle,
    const struct str pem[2], char **why)
{
	struct cert *c = &set->certs[set->n];
	const char *reason;
	SSL_CTX *ctx;

	if (cert_parse(c, pem[0], pem[1], &reason) == -1) {
		*why = xstrdup(reason);
		return -1;
	}
	ctx = context_for(set, home, bundle, why);
	if (ctx != NULL &&
	    SSL_CTX_use_cert_and_key(ctx, c->leaf, c->key, c->chain, 0) == 1) {
		set->contexts[set->n++] = ctx;
		return 0;
	}
	if (ctx != NULL)
		*why = complaint("OpenSSL does not take it");
	SSL_CTX_free(ctx);
	cert_clear(c);
	return -1;
}

struct tls_set *
tls_set_new(struct tls_home *home, struct str bytes, int *which, char **why)
{
	struct tls_set *set = xcalloc(1, sizeof(*set));
	struct tls_bundle bundle;
	struct str pem[2];
	int r;

	*which = -1;
	*why = NULL;
	ERR_clear_error();
	r = tls_bundle_open(&bundle, bytes) == -1 ? -1 : 1;
	while (r == 1 && set->n < CERT_MAX &&
	    (r = tls_bundle_next(&bundle, &pem[0], &pem[1])) == 1) {
		*which = (int)set->n;
		if (add(set, home, &bundle, pem, why) == -1)
			r = -1;
	}
	ERR_clear_error();
	if (r == 0 && set->n > 0)
		return set;
	if (*why == NULL)
		*why = xstrdup("there is no certificate");
	tls_set_free(set);
	return NULL;
}

void
tls_set_free(struct tls_set *set)
{
	if (set == NULL)
		return;
	for (size_t i = 0; i < set->n; i++) {
		SSL_CTX_free(set->contexts[i]);
		cert_clear(&set->certs[i]);
	}
	free(set);
}

SSL_CTX *
tls_set_default(const struct tls_set *set)
{
	return set->contexts[0];
}

size_t
tls_set_info(const struct tls_set *set, struct cert_info out[CERT_MAX])
{
	for (size_t i = 0; i < set->n; i++)
		cert_info(&set->certs[i], &out[i]);
	return set->n;
}
