/* SPDX-License-Identifier: MIT */
/*
 * channel_auth.c: signatures of clients.  Exactly the received bytes are
 * signed; nothing is parsed or rewritten before it is verified.  Pure.  The
 * comparison takes constant time (sign_verify); the key, which is public, is
 * compared first.  Must never put a digest into an error.
 */

#include "shared/pusher/channel_auth.h"

#include "shared/base/base.h"

/* Splits at the first colon and checks everything except the signature. */
static enum auth_result
split(const struct auth_app *app, struct str auth, struct str *hex)
{
	ssize_t colon;

	if (auth.n == 0)
		return AUTH_MISSING;
	if ((colon = str_find(auth, ':')) == -1)
		return AUTH_FORMAT;
	if (!str_eq(str_make(auth.p, (size_t)colon), app->key))
		return AUTH_KEY;
	*hex = str_from(auth, (size_t)colon + 1);
	return hex->n == SIGN_HEX_LEN ? AUTH_OK : AUTH_FORMAT;
}

enum auth_result
auth_channel(const struct auth_app *app, struct str auth, struct str socket_id,
    struct str channel, struct str data)
{
	struct str parts[] = { socket_id, S(":"), channel, S(":"), data };
	size_t n = data.p == NULL ? 3 : nitems(parts);
	struct str hex;
	enum auth_result r = split(app, auth, &hex);

	if (r != AUTH_OK)
		return r;
	return sign_verify(app->sign, parts, n, hex) ? AUTH_OK : AUTH_SIGNATURE;
}

enum auth_result
auth_user(const struct auth_app *app, struct str auth, struct str socket_id,
    struct str user_data)
{
	struct str parts[] = { socket_id, S("::user::"), user_data };
	struct str hex;
	enum auth_result r = split(app, auth, &hex);

	if (r != AUTH_OK)
		return r;
	return sign_verify(app->sign, parts, nitems(parts), hex)
	    ? AUTH_OK
	    : AUTH_SIGNATURE;
}

struct str
auth_text(enum auth_result r)
{
	switch (r) {
	case AUTH_OK:
		return S("auth is right");
	case AUTH_MISSING:
		return S("auth is missing");
	case AUTH_FORMAT:
		return S("auth is not <app key>:<64 hex digits>");
	case AUTH_KEY:
		return S("the key in auth is not the key of this app");
	case AUTH_SIGNATURE:
		break;
	}
	return S("the signature does not match");
}
