/* SPDX-License-Identifier: MIT */
/*
 * guess.c: wrong signatures, counted for each address.  An HMAC cannot be
 * guessed; what this saves is the worker's time and the server's traffic, so
 * it is the worker that counts.  Owns the buckets.
 *
 * A peer on a Unix socket that no proxy has named shares one bucket with all
 * others of its kind, as clients of a proxy that names nobody share the
 * proxy's: their right signatures pass all the same.
 *
 * Must never be asked before a signature has been found to be wrong.
 */

#include "worker/app/guess.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "shared/app/app.h"
#include "shared/base/hash.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "shared/net/ip.h"
#include "shared/pusher/pusher_errors.h"
#include "worker/app/apps.h"
#include "worker/app/limit.h"
#include "worker/app/stats.h"
#include "worker/client/client.h"
#include "worker/conn/api.h"
#include "worker/conn/api_http.h"
#include "worker/conn/conn.h"
#include "worker/conn/via.h"
#include "worker/core/core.h"

#define SALT 0x6775657373ull /* other hashes of the process have others */
#define V6_NET 8             /* bytes: a /64 */

static const unsigned char v4_mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff,
	0xff };

/* What of an address counts. */
static struct str
who(const struct ip *ip)
{
	const char *b;

	if (ip == NULL)
		return S("");
	b = (const char *)ip->b;
	if (memcmp(b, v4_mapped, sizeof(v4_mapped)) == 0)
		return str_make(b, sizeof(ip->b));
	return str_make(b, V6_NET);
}

bool
guess_take(struct guesses *g, const struct ip *ip, double now, uint32_t rate)
{
	struct guess_bucket *b;

	if (g->v == NULL)
		g->v = xcalloc(GUESS_BUCKETS, sizeof(*g->v));
	b = &g->v[hash_str(who(ip), SALT) & (GUESS_BUCKETS - 1)];
	/* The bucket's second is our minute. */
	return limit_take(&b->tokens, &b->at, now / 60., rate);
}

void
guess_clear(struct guesses *g)
{
	free(g->v);
	g->v = NULL;
}

static uint32_t
limit_of(const struct conn *c)
{
	return (uint32_t)c->w->conf->max_auth_failures_per_minute;
}

bool
guess_count(struct conn *c)
{
	uint32_t max = limit_of(c);
	struct ip ip;
	bool named;

	if (max == 0)
		return true;
	named = via_client(c, &ip, NULL);
	return guess_take(c->w->guesses, named ? &ip : NULL, worker_now(), max);
}

void
guess_close(struct conn *c)
{
	char text[120];

	stats_of(c->app)->limited_auth++;
	snprintf(text, sizeof(text),
	    "more than %" PRIu32 " wrong signatures in a minute from this "
	    "address (max_auth_failures_per_minute)",
	    limit_of(c));
	client_close(c, PUSHER_OVER_CAPACITY, str_of(text));
}

void
guess_refuse(struct conn *c)
{
	uint32_t max = limit_of(c), seconds = (60 + max - 1) / max;
	struct client_app *app = apps_by_num(c->w, c->http->app);
	char extra[64], text[256];

	if (app != NULL)
		app->stats.limited_auth++;
	snprintf(extra, sizeof(extra), "Retry-After: %" PRIu32 "\r\n", seconds);
	snprintf(text, sizeof(text),
	    "{\"error\":\"more than %" PRIu32 " requests that were refused in "
	    "a minute from this address (max_auth_failures_per_minute): try "
	    "again in %" PRIu32 " s\",\"code\":429}",
	    max, seconds);
	api_reply_extra(c, 429, extra, str_of(text));
}
