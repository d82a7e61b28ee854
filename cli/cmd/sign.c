/* SPDX-License-Identifier: MIT */
/*
 * sign.c: `pusherctl sign`: the answer of an application's auth endpoint, for a
 * channel or for a sign-in (Pusher documentation, "Authorizing users",
 * "Authenticating users").  Needs the database, not the daemon.  Must never
 * print a secret.
 */

#include "cli/cmd/sign.h"

#include <stdlib.h>

#include "shared/base/base.h"
#include "shared/base/xmalloc.h"
#include "shared/crypto/sign.h"
#include "shared/json/json_slice.h"
#include "shared/pusher/channel_name.h"
#include "shared/pusher/event_rules.h"

const struct cmd_option cmd_sign_options[] = {
	{ "user", "USER_DATA",
	    "a sign-in, {\"id\":\"...\"}; then there is no CHANNEL" },
	{ NULL, NULL, NULL },
};

static char *
sign(const struct app *a, const struct str *parts, size_t n)
{
	struct sign_key *key = sign_key_new(str_of(a->secret));
	unsigned char mac[SIGN_SHA256_LEN];
	char hex[SIGN_HEX_LEN + 1];

	sign_hmac(key, parts, n, mac);
	sign_key_free(key);
	str_hex(mac, sizeof(mac), hex);
	return xasprintf("%s:%s", a->key, hex);
}

char *
cmd_sign_channel(const struct app *a, const char *socket_id,
    const char *channel, const char *data)
{
	struct str parts[] = { str_of(socket_id), S(":"), str_of(channel),
		S(":"), str_of(data) };

	return sign(a, parts, data == NULL ? 3 : nitems(parts));
}

static char *
sign_user(const struct app *a, const char *socket_id, const char *user_data)
{
	struct str parts[] = { str_of(socket_id), S("::user::"),
		str_of(user_data) };

	return sign(a, parts, nitems(parts));
}

static int
check_object(const struct cmd *c, const char *what, const char *text)
{
	struct json v;
	const char *err;

	if (json_parse(str_of(text), &v, &err) == -1)
		return cmd_usage(c, "%s is not JSON: %s", what, err);
	if (v.kind != JSON_OBJECT)
		return cmd_usage(c, "%s has to be a JSON object", what);
	return CMD_OK;
}

int
sign_check_channel(const struct cmd *c, const struct app *a, const char *name)
{
	struct str channel = str_of(name);
	struct event_rule rule;
	const char *why = NULL;

	if (channel_name_is_valid(channel, a->max_channel_name_length))
		return CMD_OK;
	if ((channel_flags(channel) & CHANNEL_USER) == 0)
		why = event_rule_channel(
		    &rule, channel, a->max_channel_name_length, 0);
	return cmd_usage(c, "\"%s\" is not a channel that clients join%s%s",
	    name, why == NULL ? "" : ": ", why == NULL ? "" : why);
}

static int
check(const struct cmd *c, const struct app *a)
{
	const char *user = cmd_value(c, "user");
	int r;

	if (!socket_id_is_valid(str_of(c->args[1])))
		return cmd_usage(c,
		    "\"%s\" is not a socket id: digits, a dot, digits",
		    c->args[1]);
	if (user != NULL)
		return check_object(c, "--user", user);
	if ((r = sign_check_channel(c, a, c->args[2])) != CMD_OK)
		return r;
	if ((channel_flags(str_of(c->args[2])) & CHANNEL_PRIVATE) == 0)
		return cmd_usage(c,
		    "\"%s\" is a public channel: it needs no signature",
		    c->args[2]);
	if (c->nargs > 3)
		return check_object(c, "CHANNEL_DATA", c->args[3]);
	if ((channel_flags(str_of(c->args[2])) & CHANNEL_PRESENCE) != 0)
		cmd_note("without CHANNEL_DATA this is for clients that are "
			 "signed in; for others add '{\"user_id\":\"...\"}'");
	return CMD_OK;
}

static void
put(const struct cmd *c, const struct app *a)
{
	const char *user = cmd_value(c, "user"), *data = user;
	char *auth;

	if (user != NULL) {
		auth = sign_user(a, c->args[1], user);
	} else {
		data = c->nargs > 3 ? c->args[3] : NULL;
		auth = cmd_sign_channel(a, c->args[1], c->args[2], data);
	}
	out_record_open(c->out, NULL);
	out_text(c->out, "auth", auth);
	if (data != NULL)
		out_text(
		    c->out, user != NULL ? "user_data" : "channel_data", data);
	out_record_close(c->out);
	free(auth);
}

int
cmd_sign(struct cmd *c)
{
	struct app a;
	int r;

	if (cmd_has(c, "user") ? c->nargs != 2 : c->nargs < 3)
		return cmd_usage(c,
		    cmd_has(c, "user") ? "with --user: APP SOCKET_ID"
				       : "sign needs a CHANNEL, or --user");
	r = cmd_read_app(c, c->args[0], &a);
	if (r != CMD_OK)
		return r;
	r = check(c, &a);
	if (r == CMD_OK)
		put(c, &a);
	app_clear(&a);
	return r;
}
