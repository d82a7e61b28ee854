/* SPDX-License-Identifier: MIT */
/*
 * auth_failures.c: wrong signatures, counted for each address. An HMAC cannot
 * be guessed; the limit saves the worker's time and the server's traffic. Owns
 * the buckets.
 *
 * All peers on Unix sockets that no proxy has named share one bucket, as
 * clients of a proxy that names none share the proxy's. Their right signatures
 * still pass.
 *
 * Must never be asked before a signature has been found to be wrong.
 */

#include "worker/app/auth_failures.h"

#include <string.h>

#include "shared/base/hash.h"
#include "shared/base/token_bucket.h"
#include "shared/base/xmalloc.h"
#include "shared/net/ip.h"

#define SALT 0x6775657373ull /* the process's other hashes have other salts */

bool
auth_failures_take(
    struct auth_failures *g, const struct ip *ip, double now, uint32_t rate)
{
	struct auth_failures_bucket *b;

	if (g->v == NULL)
		g->v = xcalloc(AUTH_FAILURES_BUCKETS, sizeof(*g->v));
	b = &g->v[hash_str(ip == NULL ? S("") : ip_owner(ip), SALT) &
	    (AUTH_FAILURES_BUCKETS - 1)];
	/* The bucket's second is our minute. */
	return token_bucket_take(&b->tokens, &b->at, now / 60., rate);
}

void
auth_failures_clear(struct auth_failures *g)
{
	free(g->v);
	g->v = NULL;
}
