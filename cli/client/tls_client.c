/* SPDX-License-Identifier: MIT */
/*
 * tls_client.c: TLS towards a server: for `subscribe`, which trusts exactly the
 * certificates of its own configuration, whatever names they have, and for the
 * load generator, which trusts any.  Owns what tls_client_init() has read.
 * Must never read a private key.
 */

#include "cli/client/tls_client.h"

#include <errno.h>
#include <limits.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/base.h"
#include "shared/base/file.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "shared/proc/proc.h"

SSL_CTX *
tls_client_ctx(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	if (ctx == NULL)
		return NULL;
	proc_signal(SIGPIPE, SIG_IGN); /* OpenSSL writes without MSG_NOSIGNAL */
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(ctx,
	    SSL_MODE_ENABLE_PARTIAL_WRITE |
		SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	return ctx;
}

/* The first certificate of a file, or NULL. */
static X509 *
read_leaf(const char *path)
{
	struct buf *b = file_read_path(path, CERT_FILE_MAX);
	X509 *x = NULL;
	BIO *bio;

	if (b == NULL)
		return NULL;
	bio = BIO_new_mem_buf(b->data, (int)b->len);
	if (bio != NULL)
		x = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	BIO_free(bio);
	buf_unref(b);
	return x;
}

int
tls_client_init(struct tls_client *t, const struct conf *conf, char **why)
{
	struct cert_info info;

	*t = (struct tls_client){ .ctx = tls_client_ctx() };
	if (t->ctx == NULL) {
		*why = xstrdup("no TLS: OpenSSL has no context");
		return -1;
	}
	for (size_t i = 0; i < conf->tls_certificate.n && i < CERT_MAX; i++) {
		const char *path = conf->tls_certificate.v[i];
		struct cert c = { .leaf = read_leaf(path) };

		if (c.leaf == NULL) {
			*why = xasprintf(
			    "tls_certificate %s: no certificate", path);
			return -1;
		}
		t->own[t->nown++] = c.leaf;
		cert_info(&c, &info);
		if (i == 0 && info.name[0] != '*' && info.name[0] != '\0')
			t->name = xstrdup(info.name);
	}
	return 0;
}

void
tls_client_clear(struct tls_client *t)
{
	for (size_t i = 0; i < t->nown; i++)
		X509_free(t->own[i]);
	SSL_CTX_free(t->ctx);
	free(t->name);
	*t = (struct tls_client){ 0 };
}

int
tls_client_public(struct tls_client *t, const char *host)
{
	*t = (struct tls_client){ .ctx = tls_client_ctx(), .any = true };
	if (t->ctx == NULL || SSL_CTX_set_default_verify_paths(t->ctx) != 1)
		return -1;
	t->name = xstrdup(host);
	return 0;
}

const char *
tls_client_verdict(const SSL *ssl)
{
	long r = SSL_get_verify_result(ssl);

	return r == X509_V_OK ? NULL : X509_verify_cert_error_string(r);
}

/* The name for which the certificate must be; an address is no name. */
static bool
set_name(const struct tls_client *t, SSL *ssl)
{
	if (t->name == NULL)
		return true;
	if (t->any &&
	    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), t->name) == 1)
		return true;
	return SSL_set_tlsext_host_name(ssl, t->name) == 1 &&
	    (!t->any || SSL_set1_host(ssl, t->name) == 1);
}

static bool
is_ours(const struct tls_client *t, const SSL *ssl)
{
	const X509 *shown = SSL_get0_peer_certificate(ssl);

	for (size_t i = 0; shown != NULL && i < t->nown; i++)
		if (X509_cmp(shown, t->own[i]) == 0)
			return true;
	return false;
}

SSL *
tls_client_attach(SSL_CTX *ctx, int fd)
{
	SSL *ssl = SSL_new(ctx);

	if (ssl == NULL || SSL_set_fd(ssl, fd) != 1) {
		SSL_free(ssl);
		return NULL;
	}
	SSL_set_connect_state(ssl);
	return ssl;
}

SSL *
tls_client_connect(const struct tls_client *t, int fd, const char **why)
{
	SSL *ssl = tls_client_attach(t->ctx, fd);

	if (ssl == NULL) {
		*why = "no TLS: OpenSSL has no connection";
		return NULL;
	}
	ERR_clear_error();
	if (!set_name(t, ssl) || SSL_do_handshake(ssl) != 1)
		*why = "the TLS handshake failed";
	else if (!t->any && !is_ours(t, ssl))
		*why = "the server's certificate is not among those of "
		       "tls_certificate";
	else
		return ssl;
	SSL_free(ssl);
	return NULL;
}

/* The meaning of a failed call, in the words of send(2). */
static ssize_t
result(SSL *ssl, int r)
{
	switch (SSL_get_error(ssl, r)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		errno = EAGAIN;
		return -1;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	case SSL_ERROR_SYSCALL:
		if (errno == 0)
			errno = ECONNRESET;
		return -1;
	default:
		errno = EPROTO;
		return -1;
	}
}

ssize_t
tls_client_send(SSL *ssl, const char *p, size_t n)
{
	int r;

	ERR_clear_error();
	errno = 0;
	r = SSL_write(ssl, p, (int)MIN(n, (size_t)INT_MAX));
	return r > 0 ? r : result(ssl, r);
}

ssize_t
tls_client_recv(SSL *ssl, char *p, size_t n)
{
	int r;

	ERR_clear_error();
	errno = 0;
	r = SSL_read(ssl, p, (int)MIN(n, (size_t)INT_MAX));
	return r > 0 ? r : result(ssl, r);
}
