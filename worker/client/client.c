/* SPDX-License-Identifier: MIT */
/*
 * client.c: Pusher events from a client.  Start reading at the table: event
 * name -> handler.  An unknown event or a malformed message gets pusher:error,
 * and the connection stays open (protocol reference, 10.1) up to
 * max_bad_messages.
 *
 * A message has been checked to be UTF-8 and within max_message_bytes;
 * everything else about it is checked here.
 */

#include "worker/client/client.h"

#include <stdio.h>
#include <stdlib.h>

#include "shared/app/app.h"
#include "shared/base/token_bucket.h"
#include "shared/base/utf8.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "shared/net/ip.h"
#include "shared/proc/session_table.h"
#include "shared/pusher/channel_name.h"
#include "shared/pusher/frames.h"
#include "shared/pusher/pusher_errors.h"
#include "worker/app/apps.h"
#include "worker/app/stats.h"
#include "worker/channel/subscription.h"
#include "worker/channel/topic.h"
#include "worker/client/admission.h"
#include "worker/client/closing.h"
#include "worker/client/error.h"
#include "worker/client/message.h"
#include "worker/conn/conn.h"
#include "worker/conn/remote.h"
#include "worker/conn/timeout.h"
#include "worker/conn/ws.h"
#include "worker/core/core.h"
#include "worker/session/session.h"

#define MESSAGE_BURST 2 /* seconds of the limit that may come at once */
#define PORTIONS 8      /* seconds for one look at all sessions */
#define PART_SECONDS 2  /* seconds for the last confirmation */
#define FLOOD 10        /* times the limit: no longer an accident */

struct auth_app
client_auth_app(const struct conn *c, struct str auth)
{
	return client_app_auth(c->app, str_cut(&auth, ':'));
}

struct conn_rates *
client_rates(struct conn *c)
{
	if (c->rates == NULL)
		c->rates = xcalloc(1, sizeof(*c->rates));
	return c->rates;
}

/* ---- messages ---- */

bool
client_msg_object(const struct client_msg *m, struct json *out, char **tmp)
{
	const char *err;
	struct str text;

	if (m->data.kind == JSON_OBJECT) {
		*out = m->data;
		return true;
	}
	return m->data.kind == JSON_STRING &&
	    json_string(m->data, &text, tmp) == 0 &&
	    json_parse(text, out, &err) == 0 && out->kind == JSON_OBJECT;
}

static void
ping(struct conn *c, const struct client_msg *m)
{
	frame_pong(worker_scratch(c->w));
	conn_queue_scratch(c);
}

static void
pong(struct conn *c, const struct client_msg *m)
{
	/* any message shows that the client is alive */
}

static const struct {
	struct str event;
	void (*handle)(struct conn *, const struct client_msg *);
} table[] = {
	{ { "pusher:subscribe", 16 }, client_subscribe },
	{ { "pusher:unsubscribe", 18 }, client_unsubscribe },
	{ { "pusher:ping", 11 }, ping },
	{ { "pusher:pong", 11 }, pong },
	{ { "pusher:signin", 13 }, client_signin },
};

static void
dispatch(struct conn *c, const struct client_msg *m)
{
	if (str_starts(m->event, S("client-"))) {
		client_event(c, m);
		return;
	}
	for (size_t i = 0; i < nitems(table); i++) {
		if (str_eq(m->event, table[i].event)) {
			table[i].handle(c, m);
			return;
		}
	}
	client_errorf(c, 0,
	    "unknown event \"%.*s\": names of client events start with "
	    "client-",
	    STR_ARG(utf8_cut(m->event, CLIENT_SHOWN)));
}

/*
 * The message is invalid: sends an error, and closes the connection when too
 * many come in a minute.  A client's own heartbeats ({"type":"ping"}) never
 * close it.
 */
static void
senseless(struct conn *c, const char *why)
{
	uint64_t max = c->w->conf->max_bad_messages;
	struct conn_rates *p = client_rates(c);
	char text[120];

	/* A bucket with a minute in place of its second. */
	if (token_bucket_take(
		&p->bad, &p->bad_at, worker_now() / 60., (uint32_t)max)) {
		client_errorf(c, 0, "bad message: %s", why);
		return;
	}
	snprintf(text, sizeof(text),
	    "more than max_bad_messages (%llu) invalid messages in a minute",
	    (unsigned long long)max);
	client_close(c, PUSHER_UNAUTHORIZED, str_of(text));
}

/*
 * More than max_messages_per_second?  Excess messages are dropped before they
 * are read; a client that sends ten times as many is closed with 4009.
 */
static bool
is_too_fast(struct conn *c)
{
	uint32_t rate = c->app->max_messages_per_second;
	double now = worker_now(), at;
	struct conn_rates *p;
	char text[96];

	if (rate == 0)
		return false;
	p = client_rates(c);
	at = p->messages_at; /* both lose tokens at the same moments */
	if (!token_bucket_take(&p->flood, &at, now, rate * FLOOD)) {
		snprintf(text, sizeof(text),
		    "more than ten times max_messages_per_second (%u)", rate);
		client_close(c, PUSHER_UNAUTHORIZED, str_of(text));
		return true;
	}
	if (token_bucket_take_burst(
		&p->messages, &p->messages_at, now, rate, rate * MESSAGE_BURST))
		return false;
	client_errorf(c, PUSHER_CLIENT_EVENT_RATE,
	    "message dropped: more than %u in one second "
	    "(max_messages_per_second)",
	    rate);
	return true;
}

void
client_message(struct conn *c, struct str text)
{
	static const struct str keys[] = { { "event", 5 }, { "channel", 7 },
		{ "data", 4 } };
	struct json root, row[1 + nitems(keys)];
	struct json_rows rows = {
		.keys = keys, .nkeys = nitems(keys), .cells = row, .max = 1
	};
	struct client_msg m;
	const char *err;
	char *tmp = NULL;

	if (is_too_fast(c))
		return;
	if (json_parse_rows(text, &root, &rows, &err) == -1) {
		senseless(c, err);
		return;
	}
	if (root.kind != JSON_OBJECT) {
		senseless(c, "not a JSON object");
		return;
	}
	if (row[1].kind != JSON_STRING)
		senseless(c, "no event that is a string");
	else if (json_string(row[1], &m.event, &tmp) == -1)
		senseless(c, "event has an unpaired surrogate");
	else {
		m.channel = row[2];
		m.data = row[3];
		dispatch(c, &m);
	}
	free(tmp);
}

/* ---- from the broker ---- */

int
client_on_sub_done(struct worker *w, const struct msg_sub_done *m)
{
	struct str channel = S("");
	int r = subscription_on_done(w, m, &channel);

	if (channel_flags(channel) & CHANNEL_PRIVATE)
		admission_authorize(conn_find(w, m->sid));
	return r;
}

/* Notes what the client is told; false: it knows already. */
static bool
note_online(struct conn *c, uint32_t at, bool online)
{
	unsigned bit = 1u << at % 8;
	char *bits;

	if (c->user == NULL || at >= c->user->nwatch)
		return false; /* of an earlier list */
	bits = member_online(c->user);
	if (((unsigned char)bits[at / 8] & bit) / bit == online)
		return false;
	bits[at / 8] = (char)((unsigned char)bits[at / 8] ^ bit);
	return true;
}

int
client_on_watchlist_event(struct worker *w, const struct msg_watchlist_event *m)
{
	struct conn *c = conn_find(w, m->sid);

	if (c != NULL && !conn_is_ending(c) &&
	    note_online(c, m->at, m->online != 0))
		conn_queue_bytes(c, m->frames);
	return 0;
}

int
client_on_terminate(struct worker *w, const struct msg_terminate *m)
{
	struct buf *name = buf_from(S(CHANNEL_USER_PREFIX));

	buf_append(&name, m->user_id);
	closing_user(w, topic_find(w, m->app, buf_str(name)),
	    PUSHER_UNAUTHORIZED, S("connection terminated"));
	buf_unref(name);
	return 0;
}

/* ---- sessions ---- */

void
client_name_session(struct conn *c, struct str id)
{
	struct sessions *ss = c->w->sessions;
	uint32_t peer = 0;
	struct ip ip;

	if (!session_id_is_valid(id)) {
		c->resume = CONN_RESUME_BAD;
		return;
	}
	c->resume = CONN_RESUME_NAMED;
	if (ss->table != NULL && remote_address(c, &ip, NULL))
		peer = session_table_peer(ss->table, ip_owner(&ip));
	session_new(ss, &c->session, c, peer, id);
	session_hello(ss, &c->session, conn_sid(c), c->app->num);
}

uint64_t
client_log_pos(const struct conn *c)
{
	return client_app_of(c->app)->log_pos;
}

uint32_t
client_app_num(const struct conn *c)
{
	return c->app->num;
}

static void
check(void *arg, struct hash_node *n)
{
	struct conn *c = CONN_OF(n, node);

	if (c->session.named)
		session_check(arg, &c->session, conn_sid(c), client_log_pos(c));
}

void
client_tick(struct worker *w)
{
	struct sessions *ss = w->sessions;

	if (ss->n > 0 &&
	    !hash_walk(
		&w->conns, &ss->walk, w->conns.n / PORTIONS + 1, check, ss))
		ss->walk = (struct hash_cursor){ 0 };
}

int
client_on_session_ok(struct worker *w, const struct msg_session_ok *m)
{
	struct conn *c = conn_find(w, m->sid);

	if (c != NULL && c->session.named) {
		session_set_row(w->sessions, &c->session, m->sid, m->row);
		admission_on_session(c);
	}
	return 0;
}

/* Asks the client for a last confirmation, then closes it. */
void
client_part(struct conn *c, unsigned code, const char *text)
{
	struct sessions *ss = c->w->sessions;
	struct client_session *s = &c->session;
	struct open_session *o;

	if (c->state >= CONN_PARTING || closing_hasten(c))
		return;
	if (!session_is_behind(ss, s) ||
	    !session_ask(ss, s, client_log_pos(c), PART_SECONDS)) {
		client_close(c, code, str_of(text));
		return;
	}
	ws_leave(c);
	c->state = CONN_PARTING;
	o = session_pool_at(&ss->pool, s->open);
	o->part_code = (uint16_t)code;
	o->part_text = text;
	list_append(&ss->parting, &o->asking);
	conn_set_timeout(c, PART_SECONDS);
}

void
client_parted(struct conn *c)
{
	struct open_session *o =
	    session_pool_at(&c->w->sessions->pool, c->session.open);

	list_remove(&o->asking);
	client_close(c, o->part_code, str_of(o->part_text));
}

void
client_on_pong(struct conn *c, struct str payload)
{
	uint64_t us;

	if (!session_on_pong(c->w->sessions, &c->session, payload, &us))
		return;
	stats_observe(
	    &client_app_of(c->app)->stats.confirmed, stats_bounds_short, us);
	if (c->state == CONN_PARTING)
		client_parted(c);
}

void
client_restart_log(struct worker *w, const struct app *app, uint64_t pos)
{
	struct list *e, *f;

	LIST_FOREACH(e, &w->clients) {
		struct conn *c = CONN_OF(e, client);

		if (c->app != app)
			continue;
		if (c->session.named)
			session_restart(
			    w->sessions, &c->session, c, app->num, pos);
		LIST_FOREACH(f, &c->subs)
			subscription_restart(f, pos);
	}
}
