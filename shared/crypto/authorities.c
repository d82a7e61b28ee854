/* SPDX-License-Identifier: MIT */
/*
 * authorities.c: reads the certificates of authorities from a file.  OpenSSL
 * says of a missing file only "system lib", so the system is asked first.  Must
 * never be used by a worker, which has no files.
 */

#include "shared/crypto/authorities.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>
#include <unistd.h>

#include "shared/base/xmalloc.h"

int
authorities_load(SSL_CTX *ctx, const char *option, const char *path, char **why)
{
	int r;

	if (access(path, R_OK) == -1) {
		*why = xasprintf("cannot read %s %s: %s: the user of pusherd "
				 "must be able to read it",
		    option, path, strerror(errno));
		return -1;
	}
	r = SSL_CTX_load_verify_locations(ctx, path, NULL);
	ERR_clear_error();
	if (r == 1)
		return 0;
	*why = xasprintf("cannot use %s %s: it must have the certificates of "
			 "authorities as PEM (BEGIN CERTIFICATE)",
	    option, path);
	return -1;
}

int
authorities_check(const char *option, const char *path, char **why)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	int r;

	if (ctx == NULL) {
		*why = xasprintf(
		    "cannot use %s %s: OpenSSL has no context", option, path);
		return -1;
	}
	r = authorities_load(ctx, option, path, why);
	SSL_CTX_free(ctx);
	return r;
}
