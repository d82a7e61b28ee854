/* SPDX-License-Identifier: MIT */
/*
 * cert.c: certificates and private keys from PEM bytes, by OpenSSL.  Owns the
 * parsed objects.  Opens no file, asks for no passphrase, and only accepts what
 * fits together: clients decide whether they trust a certificate.  Must never
 * show a byte of a key.
 */

#include "shared/crypto/cert.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "shared/base/base.h"

#define CHAIN_MAX 16

static int
no_passphrase(char *buf, int size, int writing, void *locked)
{
	*(bool *)locked = true;
	return -1;
}

static BIO *
open_bytes(struct str s)
{
	return BIO_new_mem_buf(s.p, (int)MIN(s.n, (size_t)CERT_FILE_MAX));
}

/* The rest of the file: the certificates that signed the first one. */
static int
read_chain(struct cert *c, BIO *bio, const char **why)
{
	unsigned long e;
	bool locked;
	X509 *x;

	*why = "it has more certificates than a chain can have";
	for (int i = 0; i < CHAIN_MAX; i++) {
		x = PEM_read_bio_X509(bio, NULL, no_passphrase, &locked);
		if (x == NULL) {
			e = ERR_peek_last_error();
			*why = "its chain is damaged";
			return ERR_GET_REASON(e) == PEM_R_NO_START_LINE ? 0
									: -1;
		}
		if (sk_X509_push(c->chain, x) == 0) {
			X509_free(x);
			return -1;
		}
	}
	return -1;
}

static int
read_leaf(struct cert *c, struct str pem, const char **why)
{
	BIO *bio = open_bytes(pem);
	bool locked;
	int r = -1;

	*why = "it contains no certificate (PEM)";
	c->chain = sk_X509_new_null();
	if (bio != NULL && c->chain != NULL)
		c->leaf = PEM_read_bio_X509(bio, NULL, no_passphrase, &locked);
	if (c->leaf != NULL)
		r = read_chain(c, bio, why);
	BIO_free(bio);
	return r;
}

static int
read_key(struct cert *c, struct str pem, const char **why)
{
	BIO *bio = open_bytes(pem);
	bool locked = false;

	if (bio != NULL)
		c->key =
		    PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, &locked);
	BIO_free(bio);
	if (c->key == NULL)
		*why = locked
		    ? "the key is encrypted: pusherd cannot ask for a "
		      "passphrase: store the key without one (openssl pkey)"
		    : "it contains no private key (PEM)";
	return c->key == NULL ? -1 : 0;
}

int
cert_parse(struct cert *c, struct str pem, struct str key_pem, const char **why)
{
	int r;

	*c = (struct cert){ 0 };
	ERR_clear_error();
	r = read_leaf(c, pem, why);
	if (r == 0)
		r = read_key(c, key_pem, why);
	if (r == 0 && X509_check_private_key(c->leaf, c->key) != 1) {
		*why = "the key does not belong to the certificate";
		r = -1;
	}
	ERR_clear_error();
	if (r == -1)
		cert_clear(c);
	return r;
}

void
cert_clear(struct cert *c)
{
	X509_free(c->leaf);
	sk_X509_pop_free(c->chain, X509_free);
	EVP_PKEY_free(c->key); /* OpenSSL wipes it */
	*c = (struct cert){ 0 };
}

/* A name without bytes that would harm a log or a terminal. */
static void
copy_name(char out[CERT_NAME_MAX], const unsigned char *p, size_t n)
{
	size_t i;

	for (i = 0; i < n && i < CERT_NAME_MAX - 1; i++)
		out[i] = p[i] > 0x20 && p[i] < 0x7f ? (char)p[i] : '?';
	out[i] = '\0';
}

/* The first DNS name of subjectAltName; false when there is none. */
static bool
alt_name(X509 *x, char out[CERT_NAME_MAX])
{
	GENERAL_NAMES *all =
	    X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
	const GENERAL_NAME *g;
	bool found = false;

	for (int i = 0; !found && i < sk_GENERAL_NAME_num(all); i++) {
		g = sk_GENERAL_NAME_value(all, i);
		if (g->type != GEN_DNS)
			continue;
		copy_name(out, ASN1_STRING_get0_data(g->d.dNSName),
		    (size_t)ASN1_STRING_length(g->d.dNSName));
		found = true;
	}
	GENERAL_NAMES_free(all);
	return found;
}

static void
common_name(X509 *x, char out[CERT_NAME_MAX])
{
	const X509_NAME *name = X509_get_subject_name(x);
	int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
	const ASN1_STRING *s;

	memcpy(out, "-", 2);
	if (at < 0)
		return;
	s = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));
	copy_name(out, ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s));
}

void
cert_info(const struct cert *c, struct cert_info *f)
{
	unsigned char print[EVP_MAX_MD_SIZE];
	unsigned int n = 0;
	struct tm tm;

	memset(f, 0, sizeof(*f));
	if (!alt_name(c->leaf, f->name))
		common_name(c->leaf, f->name);
	if (ASN1_TIME_to_tm(X509_get0_notAfter(c->leaf), &tm) == 1)
		f->expires = (int64_t)timegm(&tm);
	if (X509_digest(c->leaf, EVP_sha256(), print, &n) == 1 &&
	    n * 2 == CERT_PRINT_LEN)
		str_hex(print, n, f->fingerprint);
}

bool
cert_covers(const struct cert *c, struct str host, bool wildcard)
{
	unsigned flags = wildcard ? X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS
				  : X509_CHECK_FLAG_NO_WILDCARDS;

	return host.n > 0 &&
	    X509_check_host(c->leaf, host.p, host.n, flags, NULL) == 1;
}

static const ASN1_OCTET_STRING *
alt_names(const struct cert *c)
{
	int at = X509_get_ext_by_NID(c->leaf, NID_subject_alt_name, -1);

	return at < 0 ? NULL
		      : X509_EXTENSION_get_data(X509_get_ext(c->leaf, at));
}

bool
cert_is_sibling(const struct cert *a, const struct cert *b)
{
	const ASN1_OCTET_STRING *x = alt_names(a), *y = alt_names(b);

	return x != NULL && y != NULL && ASN1_OCTET_STRING_cmp(x, y) == 0 &&
	    EVP_PKEY_get_base_id(a->key) != EVP_PKEY_get_base_id(b->key);
}
