/* SPDX-License-Identifier: MIT */
/*
 * signin.c: pusher:signin (protocol reference, 4.1).  Owns c->user, and
 * c->signins: the frames of sign-ins that the broker has not answered.  They
 * are sent after its answer, so that every event that is published to the user
 * after pusher:signin_success arrives.  A wrong sign-in is answered with
 * pusher:error 4009 and closes nothing.
 */

#include <stdlib.h>

#include "shared/app/app.h"
#include "shared/base/buf.h"
#include "shared/base/xmalloc.h"
#include "shared/pusher/channel_name.h"
#include "shared/pusher/event_rules.h"
#include "shared/pusher/frames.h"
#include "shared/pusher/pusher_errors.h"
#include "worker/app/stats.h"
#include "worker/channel/subscription.h"
#include "worker/channel/topic.h"
#include "worker/client/admission.h"
#include "worker/client/client.h"
#include "worker/client/error.h"
#include "worker/client/identity.h"
#include "worker/client/message.h"
#include "worker/client/refused.h"
#include "worker/conn/conn.h"
#include "worker/conn/input.h"
#include "worker/conn/remote.h"
#include "worker/core/core.h"
#include "worker/link/link.h"
#include "worker/link/unacked.h"

#define MAX_WAITING 4      /* sign-ins of one connection at the broker */
#define OFFLINE_SECONDS 3. /* that the broker waits before "offline" */

struct signin {
	struct signin *next;
	uint64_t seq;                 /* of SIGNIN */
	struct buf *frames;           /* pusher:signin_success, perhaps 4302 */
	struct client_member *before; /* c->user before; back if refused */
	bool subscribed;              /* its channel was asked for meanwhile */
};

static struct msg_signin
message(const struct conn *c)
{
	return (struct msg_signin){ .app = c->app->num,
		.sid = conn_sid(c),
		.user_id = c->user->id,
		.watchlist = c->user->watchlist };
}

/* The subscription to #server-to-user-<id>, or NULL. */
static struct subscription *
user_subscription(const struct conn *c)
{
	struct list *e;

	LIST_FOREACH(e, &c->subs) {
		struct subscription *s = SUBSCRIPTION_OF(e);

		if (s->user)
			return s;
	}
	return NULL;
}

void
client_signin_replay(struct conn *c)
{
	const struct subscription *s;
	struct msg_signin m;

	if (c->user == NULL || !c->signed_in)
		return;
	m = message(c);
	m.replay = 1;
	s = user_subscription(c);
	if (s != NULL) {
		m.pos = s->pos;
		m.back = s->back;
	}
	m.online =
	    str_make(member_online(c->user), member_online_bytes(c->user));
	link_send_signin(c->w, &m);
}

static bool
is_answered(const struct conn *c, uint64_t seq)
{
	const struct signin *s;

	for (s = c->signins; s != NULL; s = s->next)
		if (s->seq == seq)
			return false;
	return true;
}

void
client_signin_restamp(struct worker *w, char *p, size_t n)
{
	struct msg_signin m;
	struct conn *c;

	if (msg_signin_get(&m, str_make(p + IPC_HEAD, n - IPC_HEAD)) == -1 ||
	    (c = conn_find(w, m.sid)) == NULL)
		return;
	if (!is_answered(c, m.seq)) {
		input_asked(c, FLOW_SIGNIN, 0);
		return;
	}
	m.replay = 1;
	buf_reserve(worker_scratch(w), n);
	msg_signin_put(w->scratch->data, &m);
	memcpy(p, w->scratch->data, n);
}

/* Stores the frame until the broker has answered; false: too many. */
static bool
wait_for_answer(struct conn *c, struct buf *frames)
{
	struct signin **at = &c->signins, *s;
	unsigned n = 0;

	for (; *at != NULL; at = &(*at)->next)
		n++;
	if (n == MAX_WAITING)
		return false;
	s = xcalloc(1, sizeof(*s));
	s->frames = buf_ref(frames);
	s->seq = c->w->unacked->seq + 1; /* it is sent next */
	s->before = c->user;
	*at = s;
	return true;
}

/* Removes the oldest one; NULL when nothing waits. */
static struct buf *
answered(struct conn *c)
{
	struct signin *s = c->signins;
	struct buf *frames;

	if (s == NULL)
		return NULL;
	frames = s->frames;
	c->signins = s->next;
	free(s->before);
	free(s);
	return frames;
}

/* The user of the oldest one. */
static struct client_member **
asked_for(struct conn *c)
{
	struct signin *s = c->signins;

	return s == NULL || s->next == NULL ? &c->user : &s->next->before;
}

/* Undoes the oldest one, as if it had not been sent. */
static void
take_back(struct conn *c)
{
	struct signin *s = c->signins;
	struct client_member **after = asked_for(c), *refused;
	struct msg_signout m = { .app = c->app->num, .sid = conn_sid(c) };

	if (s == NULL)
		return;
	refused = *after;
	*after = s->before;
	s->before = refused;
	/*
	 * A later broker may learn of the sign-in, so it must learn of its end,
	 * too.
	 */
	if (c->user == NULL) {
		m.user_id = refused->id;
		unacked_send_signout(c->w, &m);
	}
	buf_unref(answered(c));
}

static void
sign_in(struct conn *c, const struct identity *who, struct str user_data)
{
	struct buf *frames = NULL, *text = NULL;
	uint16_t nwatch = (uint16_t)MIN(who->nwatch, c->app->max_watchlist_ids);
	struct msg_signin m;

	frame_signin_success(&frames, user_data);
	if (who->nwatch > c->app->max_watchlist_ids) {
		buf_printf(&text,
		    "the watchlist has %zu ids, only the first %u "
		    "(max_watchlist_ids) count: ",
		    who->nwatch, c->app->max_watchlist_ids);
		buf_append(&text, buf_str(who->watch));
		frame_error(&frames, PUSHER_WATCHLIST_LIMIT, buf_str(text));
		buf_unref(text);
	}
	if (wait_for_answer(c, frames)) {
		c->user =
		    member_new(who->id, who->info, buf_str(who->watch), nwatch);
		m = message(c);
		unacked_send_signin(c->w, &m);
		input_asked(c, FLOW_SIGNIN, nwatch * COST_WATCHED);
	} else {
		client_error(c, PUSHER_UNAUTHORIZED,
		    S("sign-in refused: earlier ones wait for an answer"));
	}
	buf_unref(frames);
}

/* user_data has the right signature. */
static void
check_user(struct conn *c, struct str user_data)
{
	struct identity_limits limits = { c->app->max_user_id_length,
		c->app->max_watchlist_ids };
	enum identity_result result;
	struct event_rule rule;
	struct identity who;
	const char *why;

	result = identity_of_user_data(&who, user_data, limits, &why);
	if (result == IDENTITY_BAD)
		client_errorf(
		    c, PUSHER_UNAUTHORIZED, "sign-in refused: %s", why);
	else if (result == IDENTITY_LIMIT)
		client_errorf(c, PUSHER_UNAUTHORIZED, "sign-in refused: %s",
		    event_rule_user(&rule, who.id, limits.id));
	else if (c->user != NULL && !str_eq(c->user->id, who.id))
		client_errorf(c, PUSHER_UNAUTHORIZED,
		    "sign-in refused: signed in as \"%.*s\" already",
		    STR_ARG(c->user->id));
	else
		sign_in(c, &who, user_data);
	identity_clear(&who);
}

static void
refuse_signature(struct conn *c, enum auth_result result, const char *sid)
{
	stats_of(c->app)->auth_signin++;
	refused_signature(c, "sign-in", S(""), auth_text(result));
	if (!remote_auth_failed(c))
		client_close_auth_failures(c);
	else
		client_errorf(c, PUSHER_UNAUTHORIZED,
		    "sign-in refused: %.*s; it has to be <app "
		    "key>:<HMAC-SHA256 of \"%s::user::<user_data>\">",
		    STR_ARG(auth_text(result)), sid);
}

void
client_signin(struct conn *c, const struct client_msg *m)
{
	static const struct str keys[] = { { "auth", 4 }, { "user_data", 9 } };
	struct auth_app app;
	struct json obj, v[2];
	struct str auth, user_data;
	enum auth_result result;
	char *tmp[3] = { NULL, NULL, NULL }, sid[SOCKET_ID_MAX];

	socket_id_text(conn_sid(c), sid);
	if (!client_msg_object(m, &obj, &tmp[0])) {
		client_error(c, PUSHER_UNAUTHORIZED,
		    S("sign-in refused: data is not an object"));
		goto out;
	}
	json_get_many(obj, keys, v, 2);
	if (v[0].kind != JSON_STRING || v[1].kind != JSON_STRING ||
	    json_string(v[0], &auth, &tmp[1]) == -1 ||
	    json_string(v[1], &user_data, &tmp[2]) == -1) {
		client_error(c, PUSHER_UNAUTHORIZED,
		    S("sign-in refused: auth and user_data have to be "
		      "strings"));
		goto out;
	}
	app = client_auth_app(c, auth);
	result = auth_user(&app, auth, str_of(sid), user_data);
	if (result == AUTH_OK)
		check_user(c, user_data);
	else
		refuse_signature(c, result, sid);
out:
	for (size_t i = 0; i < nitems(tmp); i++)
		free(tmp[i]);
}

/* ---- the answer ---- */

bool
client_signin_defer(struct conn *c)
{
	struct signin *s = c->signins;

	if (c->signed_in || s == NULL)
		return false;
	while (s->next != NULL)
		s = s->next;
	s->subscribed = true;
	return true;
}

static struct buf *
channel_of(const struct client_member *user)
{
	struct buf *name = buf_from(S(CHANNEL_USER_PREFIX));

	buf_append(&name, user->id);
	return name;
}

/* Answers client_signin_defer(). */
static void
answer_subscribe(struct conn *c, struct buf *channel)
{
	struct buf **b = worker_scratch(c->w);

	if (c->signed_in)
		frame_subscribed(b, buf_str(channel));
	else
		frame_subscription_error(b, buf_str(channel), "AuthError", 401,
		    S("not signed in as this user"));
	conn_queue_scratch(c);
	buf_unref(channel);
}

/* From now on events for the user reach this connection (4.4). */
static void
join_user_channel(struct conn *c)
{
	struct buf *name = channel_of(c->user);
	struct subscription *s;

	if (subscription_find(c, buf_str(name)) == NULL) {
		s = subscription_new(c, buf_str(name));
		s->user = s->on = true;
		topic_add(s->t, s->c, &s->index);
	}
	buf_unref(name);
}

/* The oldest sign-in is accepted. */
static void
finish(struct conn *c, const struct msg_signin_done *m)
{
	struct client_member *user = *asked_for(c);
	struct subscription *s;
	struct buf *frames;

	if (m->online.n > 0 && m->online.n == member_online_bytes(user))
		memcpy(member_online(user), m->online.p, m->online.n);
	c->signed_in = true;
	join_user_channel(c);
	frames = answered(c);
	conn_queue_bytes(c, buf_str(frames));
	conn_queue_answer(c, m->frames);
	if ((s = user_subscription(c)) != NULL)
		subscription_note(s, m->pos, m->back);
	buf_unref(frames);
	admission_authorize(c);
}

int
client_on_signin_done(struct worker *w, const struct msg_signin_done *m)
{
	struct conn *c = conn_find(w, m->sid);
	struct buf *channel = NULL;

	if (c == NULL || c->user == NULL)
		return 0; /* left meanwhile; SIGNOUT reported it */
	input_answered(c, FLOW_SIGNIN);
	if (c->signins != NULL && c->signins->subscribed)
		channel = channel_of(*asked_for(c));
	if (m->status == 0) {
		finish(c, m);
	} else {
		take_back(c);
		conn_queue_answer(c, m->frames);
	}
	if (channel != NULL)
		answer_subscribe(c, channel);
	return 0;
}

/* ---- the end ---- */

/*
 * A user goes "offline" some time later: a new broker must know it until then.
 */
struct ended {
	struct tombstone tombstone;
	struct client_member *user;
	uint64_t sid;
	uint32_t app;
};

static void
replay_ended(struct worker *w, const struct tombstone *tombstone)
{
	const struct ended *e =
	    container_of(tombstone, const struct ended, tombstone);
	struct msg_signin in = { .app = e->app,
		.sid = e->sid,
		.replay = 1,
		.user_id = e->user->id,
		.watchlist = e->user->watchlist };
	struct msg_signout out = {
		.app = e->app, .sid = e->sid, .user_id = e->user->id
	};

	link_send_signin(w, &in);
	if (unacked_is_acked(w, tombstone->seq)) /* else it follows */
		link_send_signout(w, &out);
}

static void
free_ended(struct worker *w, struct tombstone *tombstone)
{
	struct ended *e = container_of(tombstone, struct ended, tombstone);

	free(e->user);
	free(e);
}

static const struct tombstone_ops ended_ops = {
	.replay = replay_ended,
	.free = free_ended,
	.seconds = OFFLINE_SECONDS,
};

static void
entomb(struct conn *c)
{
	struct ended *e = xcalloc(1, sizeof(*e));

	e->user = c->user;
	e->app = c->app->num;
	e->sid = conn_sid(c);
	unacked_end(c->w, &e->tombstone, &ended_ops);
}

void
client_signin_end(struct conn *c)
{
	struct msg_signout m;
	struct buf *frames;

	while ((frames = answered(c)) != NULL)
		buf_unref(frames);
	if (c->user == NULL)
		return;
	m = (struct msg_signout){
		.app = c->app->num, .sid = conn_sid(c), .user_id = c->user->id
	};
	unacked_send_signout(c->w, &m);
	if (c->signed_in)
		entomb(c);
	else
		free(c->user);
	c->user = NULL;
	c->signed_in = false;
}
