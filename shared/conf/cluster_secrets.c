/* SPDX-License-Identifier: MIT */
/*
 * cluster_secrets.c: reads cluster_auth, cluster_ca_file and cluster_cert. Owns
 * struct cluster_secrets.  Must never say what is in them.
 */

#include "shared/conf/cluster_secrets.h"

#include <errno.h>
#include <openssl/err.h>
#include <string.h>

#include "shared/base/file.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/cluster_addr.h"
#include "shared/conf/conf.h"
#include "shared/crypto/authorities.h"

#define AUTH_MAX 4096 /* bytes of cluster_auth */

/* "USER PASSWORD" or "PASSWORD" or nothing. */
static void
read_login(struct cluster_login *l, struct str line)
{
	const char *blank;

	while (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	blank = line.n == 0 ? NULL : memchr(line.p, ' ', line.n);
	if (blank != NULL) {
		l->user = buf_from(str_make(line.p, (size_t)(blank - line.p)));
		line = str_from(line, (size_t)(blank + 1 - line.p));
	}
	if (line.n > 0)
		l->password = buf_from(line);
}

/* The first line is for Redis, the second one for its Sentinels. */
static int
read_auth(const char *path, struct cluster_secrets *s, char **why)
{
	struct buf *b = file_read_path(path, AUTH_MAX);
	struct str rest = buf_str(b);

	if (b == NULL) {
		*why = xasprintf(
		    "cannot read cluster_auth %s: %s: the user of pusherd must "
		    "be able to read it, and it has at most %d bytes",
		    path, strerror(errno), AUTH_MAX);
		return -1;
	}
	read_login(&s->redis, str_cut(&rest, '\n'));
	if (rest.n > 0)
		read_login(&s->sentinel, str_cut(&rest, '\n'));
	buf_unref(b);
	if (s->redis.password != NULL)
		return 0;
	*why = xasprintf(
	    "cluster_auth %s is empty: must have the password, or the user and "
	    "the password, on its first line",
	    path);
	return -1;
}

static const char *
tls_reason(void)
{
	const char *text = ERR_reason_error_string(ERR_peek_last_error());

	return text == NULL ? "no reason is known" : text;
}

/* Trusts these certificates; our own one is shown to a server that asks. */
static int
set_tls(const struct conf *conf, SSL_CTX *ctx, char **why)
{
	const char *ca = conf->cluster_ca_file, *own = conf->cluster_cert;

	if (*ca == '\0' && SSL_CTX_set_default_verify_paths(ctx) != 1) {
		*why = xasprintf("cannot use the authorities of the system: %s",
		    tls_reason());
		return -1;
	}
	if (*ca != '\0' &&
	    authorities_load(ctx, "cluster_ca_file", ca, why) == -1)
		return -1;
	if (*own == '\0' ||
	    (SSL_CTX_use_certificate_chain_file(ctx, own) == 1 &&
		SSL_CTX_use_PrivateKey_file(ctx, own, SSL_FILETYPE_PEM) == 1))
		return 0;
	*why = xasprintf("cannot use cluster_cert %s: %s: must be the "
			 "certificate and its key as PEM",
	    own, tls_reason());
	return -1;
}

static int
read_tls(const struct conf *conf, struct cluster_secrets *s, char **why)
{
	int r;

	ERR_clear_error();
	s->tls = SSL_CTX_new(TLS_client_method());
	if (s->tls == NULL) {
		*why =
		    xstrdup("no TLS for the cluster: OpenSSL has no context");
		return -1;
	}
	SSL_CTX_set_min_proto_version(s->tls, TLS1_2_VERSION);
	SSL_CTX_set_mode(s->tls,
	    SSL_MODE_ENABLE_PARTIAL_WRITE |
		SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_verify(s->tls, SSL_VERIFY_PEER, NULL);
	r = set_tls(conf, s->tls, why);
	ERR_clear_error();
	return r;
}

int
cluster_secrets_read(
    const struct conf *conf, struct cluster_secrets *s, char **why)
{
	struct cluster_addr addr;
	const char *need;

	*s = (struct cluster_secrets){ .tls = NULL };
	if (cluster_addr_parse(&addr, str_of(conf->cluster), &need) == -1)
		return 0; /* there is no cluster */
	if ((*conf->cluster_auth == '\0' ||
		read_auth(conf->cluster_auth, s, why) == 0) &&
	    (!addr.tls || read_tls(conf, s, why) == 0))
		return 0;
	cluster_secrets_clear(s);
	return -1;
}

void
cluster_secrets_clear(struct cluster_secrets *s)
{
	buf_unref(s->redis.user);
	buf_unref(s->redis.password);
	buf_unref(s->sentinel.user);
	buf_unref(s->sentinel.password);
	SSL_CTX_free(s->tls);
	*s = (struct cluster_secrets){ .tls = NULL };
}

int
cluster_secrets_check(const struct conf *conf, char **why)
{
	struct cluster_secrets s;

	if (cluster_secrets_read(conf, &s, why) == -1)
		return -1;
	cluster_secrets_clear(&s);
	return 0;
}
