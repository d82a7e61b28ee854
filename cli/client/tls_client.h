/* SPDX-License-Identifier: MIT */
#ifndef CLI_CLIENT_TLS_CLIENT_H
#define CLI_CLIENT_TLS_CLIENT_H

/* The client's end of TLS, for commands that connect like any client. */

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "shared/crypto/cert.h"

struct conf;

struct tls_client {
	SSL_CTX *ctx; /* NULL: no TLS */
	X509 *own[CERT_MAX];
	size_t nown;
	char *name; /* the first one's name; NULL: none is known */
	bool any;   /* any certificate will do */
};

/* For other servers, whose certificate is not checked; ctx or NULL. */
SSL_CTX *tls_client_ctx(void);
/*
 * For the server of this configuration: it must show one of the files of
 * tls_certificate.  0, or -1 and *why (free(3) it).  Call tls_client_clear() in
 * both cases.
 */
int tls_client_init(struct tls_client *, const struct conf *, char **why);
void tls_client_clear(struct tls_client *);
/*
 * For a server under its public name.  Accepts any certificate, and
 * tls_client_verdict() says whether browsers would accept it.  0, or -1.
 */
int tls_client_public(struct tls_client *, const char *host);
/* NULL: browsers accept it; else a static clause. */
const char *tls_client_verdict(const SSL *);

/*
 * Makes the handshake on a blocking socket: NULL and *why (a static sentence),
 * or an SSL for SSL_free().
 */
SSL *tls_client_connect(const struct tls_client *, int fd, const char **why);
/* For a socket that does not block; the first call shakes hands. */
SSL *tls_client_attach(SSL_CTX *, int fd);
/* As send(2) and recv(2) do: n, 0 at the end, or -1 with errno. */
ssize_t tls_client_send(SSL *, const char *, size_t);
ssize_t tls_client_recv(SSL *, char *, size_t);

#endif
