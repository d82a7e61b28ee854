/* SPDX-License-Identifier: MIT */
/*
 * subscribe.c: pusher:subscribe and pusher:unsubscribe.  The order of the
 * checks is that of the protocol reference, 3.3; the first one that fails is
 * answered with two frames (2.4) and nothing else happens.  The broker answers
 * what only it knows (is there room for one more member?).
 */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "shared/app/app.h"
#include "shared/conf/conf.h"
#include "shared/pusher/channel_name.h"
#include "shared/pusher/event_rules.h"
#include "shared/pusher/frames.h"
#include "worker/app/apps.h"
#include "worker/app/stats.h"
#include "worker/channel/subscription.h"
#include "worker/client/error.h"
#include "worker/client/identity.h"
#include "worker/client/message.h"
#include "worker/client/refused.h"
#include "worker/conn/conn.h"
#include "worker/conn/remote.h"
#include "worker/core/core.h"
#include "worker/link/failure.h"

#define NAME_SHOWN 1024 /* bytes of a wrong name that are sent back */

/* One request; views into the message or into tmp. */
struct request {
	struct conn *c;
	struct str channel;
	struct json auth, data;  /* as in the message */
	struct str channel_data; /* p == NULL: none */
	bool reported;           /* the broker has the reason of the refusal */
	char *tmp[4];
};

enum refusal { AUTH_ERROR, INVALID_CHANNEL, LIMIT_REACHED };

static void refuse(struct request *, enum refusal, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* For pusherctl doctor; auth: the signature, if it is wrong. */
static void
report(struct request *r, struct str why, struct str auth)
{
	struct msg_failure m = { .kind = FAILURE_CHANNEL,
		.sid = conn_sid(r->c),
		.name = r->channel,
		.why = why,
		.proof = auth,
		.data = r->channel_data.p == NULL ? S("") : r->channel_data };

	if (!r->reported)
		failure_report(r->c->w, client_app_of(r->c->app), &m);
	r->reported = true;
}

static void
refuse(struct request *r, enum refusal kind, const char *fmt, ...)
{
	static const struct {
		const char *type;
		unsigned status;
	} kinds[] = { { "AuthError", 401 }, { "InvalidChannel", 400 },
		{ "LimitReached", 413 } };
	struct str name = r->channel;
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	report(r, str_of(text), S(""));
	if (name.n > NAME_SHOWN)
		name = str_make(NULL, 0); /* no client waits for its answer */
	frame_subscription_error(worker_scratch(r->c->w), name,
	    kinds[kind].type, kinds[kind].status, str_of(text));
	conn_queue_scratch(r->c);
}

/* Reads the string data.channel; false when the message has been answered. */
static bool
read_channel(struct conn *c, const struct client_msg *m, struct request *r)
{
	static const struct str keys[] = { { "channel", 7 }, { "auth", 4 },
		{ "channel_data", 12 } };
	struct json obj, v[3];

	*r = (struct request){ .c = c };
	if (!client_msg_object(m, &obj, &r->tmp[0])) {
		client_errorf(
		    c, 0, "%.*s: data is not an object", STR_ARG(m->event));
		return false;
	}
	json_get_many(obj, keys, v, 3);
	if (v[0].kind != JSON_STRING ||
	    json_string(v[0], &r->channel, &r->tmp[1]) == -1) {
		client_errorf(
		    c, 0, "%.*s: channel is not a string", STR_ARG(m->event));
		return false;
	}
	r->auth = v[1];
	r->data = v[2];
	return true;
}

static void
clear(struct request *r)
{
	for (size_t i = 0; i < nitems(r->tmp); i++)
		free(r->tmp[i]);
}

/* 4.4: the user's own channel; the sign-in has subscribed it already. */
static void
subscribe_user(struct request *r)
{
	const struct client_member *user = r->c->user;

	if (!(channel_flags(r->channel) & CHANNEL_USER)) {
		refuse(
		    r, INVALID_CHANNEL, "names that start with # are reserved");
	} else if (user == NULL ||
	    !str_eq(channel_user_id(r->channel), user->id)) {
		refuse(r, AUTH_ERROR, "not signed in as this user");
	} else if (!client_signin_defer(r->c)) {
		frame_subscribed(worker_scratch(r->c->w), r->channel);
		conn_queue_scratch(r->c);
	}
}

/* The signature of private and presence channels (3.4). */
static bool
check_auth(struct request *r)
{
	struct auth_app app;
	char sid[SOCKET_ID_MAX];
	struct str auth = S("");
	enum auth_result result;

	if (r->data.kind == JSON_STRING) {
		if (json_string(r->data, &r->channel_data, &r->tmp[2]) == -1) {
			refuse(r, AUTH_ERROR,
			    "channel_data has an unpaired surrogate");
			return false;
		}
	} else if (r->data.kind != JSON_NONE && r->data.kind != JSON_NULL) {
		refuse(r, AUTH_ERROR, "channel_data is not a string");
		return false;
	}
	if (r->auth.kind == JSON_STRING &&
	    json_string(r->auth, &auth, &r->tmp[3]) == -1)
		auth = S("");
	app = client_auth_app(r->c, auth);
	socket_id_text(conn_sid(r->c), sid);
	result =
	    auth_channel(&app, auth, str_of(sid), r->channel, r->channel_data);
	if (result == AUTH_OK)
		return true;
	stats_of(r->c->app)->auth_subscribe++;
	report(r, auth_text(result), auth);
	refused_signature(r->c, "subscribe", r->channel, auth_text(result));
	if (!remote_auth_failed(r->c)) {
		client_close_auth_failures(r->c);
		return false;
	}
	refuse(r, AUTH_ERROR,
	    "%.*s; it has to be <app key>:<HMAC-SHA256 of \"%s:%.*s%s\">",
	    STR_ARG(auth_text(result)), sid, STR_ARG(r->channel),
	    r->channel_data.p == NULL ? "" : ":<channel_data>");
	return false;
}

/* The member that joins a presence channel (3.5); NULL: refused. */
static struct client_member *
find_member(struct request *r)
{
	const struct client_member *user = r->c->user;
	struct identity_limits limits = { .id = r->c->app->max_user_id_length };
	uint32_t max = r->c->app->max_presence_member_bytes;
	struct identity who = { 0 };
	enum identity_result result = IDENTITY_OK;
	struct client_member *member = NULL;
	struct event_rule rule;
	const char *why;

	if (r->channel_data.p != NULL) {
		result = identity_of_channel_data(
		    &who, r->channel_data, limits, &why);
	} else if (user != NULL) {
		who.id = user->id;
		who.info = user->info;
	} else {
		result = IDENTITY_BAD;
		why = "the member has no user id: send channel_data, or sign "
		      "in first";
	}
	if (result == IDENTITY_BAD)
		refuse(r, AUTH_ERROR, "%s", why);
	else if (result == IDENTITY_LIMIT)
		refuse(r, LIMIT_REACHED, "%s",
		    event_rule_user(&rule, who.id, limits.id));
	else if (who.info.n > max)
		refuse(r, LIMIT_REACHED,
		    "user_info has %zu bytes, max_presence_member_bytes is %u",
		    who.info.n, max);
	else
		member = member_new(who.id, who.info, S(""), 0);
	identity_clear(&who);
	return member;
}

static void
subscribe(struct request *r)
{
	const struct app *app = r->c->app;
	struct client_member *member = NULL;
	struct event_rule rule;
	struct subscription *old;
	const char *why;
	unsigned flags;

	if (r->channel.n > 0 && r->channel.p[0] == '#') {
		subscribe_user(r);
		return;
	}
	why = event_rule_channel(
	    &rule, r->channel, app->max_channel_name_length, 0);
	if (why != NULL) {
		refuse(r, INVALID_CHANNEL, "%s", why);
		return;
	}
	flags = channel_flags(r->channel);
	old = subscription_find(r->c, r->channel);
	if (old != NULL && r->c->w->conf->strict_subscribe) {
		client_errorf(r->c, 0, "already subscribed to \"%.*s\"",
		    STR_ARG(r->channel));
		return;
	}
	if (old == NULL && r->c->nsubs >= app->max_subscriptions) {
		refuse(r, LIMIT_REACHED,
		    "this connection has %u channels, max_subscriptions is %u",
		    r->c->nsubs, app->max_subscriptions);
		return;
	}
	if ((flags & CHANNEL_PRIVATE) && !check_auth(r))
		return;
	if (old != NULL) {
		subscription_again(old);
		return;
	}
	if ((flags & CHANNEL_PRESENCE) && (member = find_member(r)) == NULL)
		return;
	subscription_request(r->c, r->channel, member);
}

void
client_subscribe(struct conn *c, const struct client_msg *m)
{
	struct request r;

	if (read_channel(c, m, &r))
		subscribe(&r);
	clear(&r);
}

void
client_unsubscribe(struct conn *c, const struct client_msg *m)
{
	struct subscription *s;
	struct request r;

	/*
	 * Unsubscribing from another channel is ignored silently: laravel-echo
	 * leaves four channels for each one.  The user's channel stays.
	 */
	if (read_channel(c, m, &r) &&
	    (s = subscription_find(c, r.channel)) != NULL && !s->user)
		subscription_end(s);
	clear(&r);
}
