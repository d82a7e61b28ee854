/* SPDX-License-Identifier: MIT */
/*
 * console_session.c: tokens and sessions of the console.  Both are 256 random
 * bits; only their HMAC under a key of this process is stored, so that neither
 * its memory nor the time of a comparison reveals one.  An address that tries
 * too many wrong tokens is refused for the rest of the minute, whatever it
 * sends.  Must never store a secret itself.
 */

#include "broker/control/console_session.h"

#include <string.h>

#include "shared/base/base.h"
#include "shared/base/hash.h"
#include "shared/net/ip.h"

#define FAILURE_SALT 0x636f6e736f6c65ull
#define MINUTE 60.

static void
hash_secret(struct console_sessions *s, struct str secret,
    unsigned char out[SIGN_SHA256_LEN])
{
	char key[CONSOLE_SECRET_LEN + 1];

	if (s->key == NULL) {
		sign_random_hex(key, CONSOLE_SECRET_LEN);
		s->key = sign_key_new(str_make(key, CONSOLE_SECRET_LEN));
		explicit_bzero(key, sizeof(key));
	}
	sign_hmac(s->key, &secret, 1, out);
}

void
console_sessions_clear(struct console_sessions *s)
{
	if (s->key != NULL)
		sign_key_free(s->key);
	explicit_bzero(s, sizeof(*s));
}

static struct console_secret *
find(struct console_sessions *s, struct console_secret *v, size_t n,
    struct str secret, double now)
{
	unsigned char hash[SIGN_SHA256_LEN];

	if (secret.n != CONSOLE_SECRET_LEN)
		return NULL;
	hash_secret(s, secret, hash);
	for (size_t i = 0; i < n; i++)
		if (v[i].until > now &&
		    memcmp(v[i].hash, hash, sizeof(hash)) == 0)
			return &v[i];
	return NULL;
}

/* The places that the app of v[i] uses. */
static size_t
places_like(const struct console_secret *v, size_t n, size_t i)
{
	size_t places = 0;

	for (size_t k = 0; k < n; k++)
		places += v[k].scope.app == v[i].scope.app;
	return places;
}

/*
 * The place for a new secret: a free one, or, of the app that uses most places,
 * the one that ends first.
 */
static struct console_secret *
place_for(struct console_secret *v, size_t n, double now)
{
	size_t most = 0, best = 0, places;

	for (size_t i = 0; i < n; i++) {
		if (v[i].until <= now)
			return &v[i];
		places = places_like(v, n, i);
		if (places > most ||
		    (places == most && v[i].until < v[best].until)) {
			most = places;
			best = i;
		}
	}
	return &v[best];
}

/* Writes the new secret to out. */
static struct console_secret
make_secret(struct console_sessions *s, struct console_scope scope,
    double until, char out[CONSOLE_SECRET_LEN + 1])
{
	struct console_secret x = {
		.scope = scope, .until = until, .id = ++s->last_id
	};

	sign_random_hex(out, CONSOLE_SECRET_LEN);
	hash_secret(s, str_make(out, CONSOLE_SECRET_LEN), x.hash);
	return x;
}

void
console_token_new(struct console_sessions *s, struct console_scope scope,
    double now, uint32_t ttl, char out[CONSOLE_SECRET_LEN + 1])
{
	*place_for(s->tokens, nitems(s->tokens), now) =
	    make_secret(s, scope, now + ttl, out);
}

/* The count of an address; of IPv6, the count of its /64. */
static struct console_failures *
failures_of(struct console_sessions *s, struct str address)
{
	struct ip ip;
	struct str part = address;

	if (str_find(address, ':') != -1 && ip_parse(address, &ip) == 0)
		part = str_make(ip.b, 8);
	return &s->failures[hash_str(part, FAILURE_SALT) % nitems(s->failures)];
}

enum console_login
console_login(struct console_sessions *s, struct str token, struct str address,
    double now, char out[CONSOLE_SECRET_LEN + 1])
{
	struct console_failures *g = failures_of(s, address);
	struct console_secret *t;
	struct console_scope scope;

	if (now - g->since > MINUTE)
		*g = (struct console_failures){ .since = now };
	if (g->n >= CONSOLE_FAILURES)
		return CONSOLE_TOO_MANY;
	t = find(s, s->tokens, nitems(s->tokens), token, now);
	if (t == NULL) {
		g->n++;
		return CONSOLE_WRONG;
	}
	scope = t->scope;
	explicit_bzero(t, sizeof(*t));
	*place_for(s->sessions, nitems(s->sessions), now) =
	    make_secret(s, scope, now + CONSOLE_SECONDS, out);
	return CONSOLE_LOGIN_OK;
}

struct console_secret *
console_session_find(struct console_sessions *s, struct str cookie, double now)
{
	return find(s, s->sessions, nitems(s->sessions), cookie, now);
}

struct console_secret *
console_session_by_id(struct console_sessions *s, uint32_t id)
{
	for (size_t i = 0; i < nitems(s->sessions); i++)
		if (s->sessions[i].id == id)
			return &s->sessions[i];
	return NULL;
}
