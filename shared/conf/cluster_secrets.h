/* SPDX-License-Identifier: MIT */
#ifndef SHARED_CONF_CLUSTER_SECRETS_H
#define SHARED_CONF_CLUSTER_SECRETS_H

/* Credentials and certificates of a cluster, from the files of its options. */

#include <openssl/ssl.h>

#include "shared/base/buf.h"

struct conf;

struct cluster_login {
	struct buf *user, *password; /* or NULL */
};

struct cluster_secrets {
	struct cluster_login redis, sentinel;
	SSL_CTX *tls; /* NULL: there is no TLS */
};

/*
 * Reads the files as they are now.  -1: one cannot be read or used; *why is the
 * caller's.  Nothing of their contents is in *why.
 */
int cluster_secrets_read(
    const struct conf *, struct cluster_secrets *, char **why);
void cluster_secrets_clear(struct cluster_secrets *);
/* Can they be read?  -1 and *why. */
int cluster_secrets_check(const struct conf *, char **why);

#endif
