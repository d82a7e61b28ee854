/* SPDX-License-Identifier: MIT */
/*
 * conn_list.c: answers the queries of pusherctl about the connections of this
 * worker, and closes connections on request.  Owns struct conn_list: a place in
 * the list of clients, which is the socket id of the next one (struct
 * conn_cursor).  A portion is bounded by its rows and by the connections
 * examined, and the next one is only made when the broker has room for it;
 * closing is paced by a timer.  So neither 100,000 rows nor 100,000 closes keep
 * other clients waiting.  Must never cost anything without a query.
 */

#include "worker/admin/conn_list.h"

#include <ev.h>
#include <stdlib.h>

#include "shared/app/app.h"
#include "shared/base/base.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "shared/json/json_write.h"
#include "shared/proc/proc.h"
#include "shared/pusher/channel_name.h"
#include "shared/pusher/pusher_errors.h"
#include "worker/channel/subscription.h"
#include "worker/channel/topic.h"
#include "worker/client/client.h"
#include "worker/client/error.h"
#include "worker/conn/compression.h"
#include "worker/conn/conn.h"
#include "worker/conn/remote.h"
#include "worker/conn/timeout.h"
#include "worker/core/core.h"
#include "worker/link/link.h"
#include "worker/session/session.h"

#define CONN_LISTS_MAX 64   /* as many as the broker has clients */
#define ROWS_MAX 200        /* in one portion */
#define LOOK_MAX 4000       /* connections and subscriptions examined */
#define CHANNELS_SHOWN 1000 /* of one connection */
#define KILL_TICK 0.01      /* seconds */
#define KILL_MAX 25         /* connections closed in one of them */
#define TELL_SECONDS 0.5    /* between two counts */

struct conn_list {
	struct list link; /* in w->conn_lists->all */
	struct worker *w;
	uint64_t id, sid;
	uint32_t kind, app;
	struct conn_cursor at; /* the next one */
	double began;          /* later clients are left out */
	uint32_t n;            /* since the last CONN_QUERY_ROWS */
	double reported;       /* when that was */
	ev_timer timer;        /* CONN_QUERY_KILL */
	size_t channel_len, user_len;
	char text[]; /* channel, user */
};

static struct str
conn_list_channel(const struct conn_list *k)
{
	return str_make(k->text, k->channel_len);
}

static struct str
conn_list_user(const struct conn_list *k)
{
	return str_make(k->text + k->channel_len, k->user_len);
}

static bool
is_kill(const struct conn_list *k)
{
	return k->kind == CONN_QUERY_KILL || k->kind == CONN_QUERY_RECONNECT;
}

static void
conn_list_free(struct conn_list *k)
{
	ev_timer_stop(k->w->loop, &k->timer);
	list_remove(&k->link);
	list_remove(&k->at.link);
	free(k);
}

static struct conn_list *
conn_list_find(struct worker *w, uint64_t id)
{
	struct list *e;

	LIST_FOREACH(e, &w->conn_lists->all) {
		struct conn_list *k = LIST_ITEM(e, struct conn_list, link);

		if (k->id == id)
			return k;
	}
	return NULL;
}

void
conn_lists_init(struct worker *w)
{
	list_init(&w->conn_lists->all);
}

void
conn_lists_clear(struct worker *w)
{
	while (!list_is_empty(&w->conn_lists->all))
		conn_list_free(
		    LIST_ITEM(w->conn_lists->all.next, struct conn_list, link));
}

/* ---- which connections ---- */

static bool
is_in_channel(struct conn *c, struct str channel, size_t *looked)
{
	const struct subscription *s = subscription_find(c, channel);

	*looked += c->nsubs;
	return s != NULL && s->on;
}

static bool
is_meant(struct conn_list *k, struct conn *c, size_t *looked)
{
	struct str user = conn_list_user(k), channel = conn_list_channel(k);

	if (conn_is_ending(c) || !c->greeted || c->opened_at > k->began)
		return false;
	if ((k->app != 0 && c->app->num != k->app) ||
	    (k->sid != 0 && conn_sid(c) != k->sid))
		return false;
	if (user.n > 0 &&
	    (!c->signed_in || c->user == NULL || !str_eq(c->user->id, user)))
		return false;
	return channel.n == 0 || is_in_channel(c, channel, looked);
}

static uint64_t
sid_at(const struct worker *w, struct list *e)
{
	return e == &w->clients ? 0 : conn_sid(CONN_OF(e, client));
}

/* The next matching one, or NULL: at the end, or enough were examined. */
static struct conn *
conn_list_next(struct conn_list *k, size_t *looked)
{
	struct conn *c;

	while (k->at.sid != 0 && *looked < LOOK_MAX) {
		c = conn_find(k->w, k->at.sid);
		k->at.sid =
		    c == NULL || k->sid != 0 || list_is_empty(&c->client)
		    ? 0
		    : sid_at(k->w, c->client.next);
		++*looked;
		if (c != NULL && is_meant(k, c, looked))
			return c;
	}
	return NULL;
}

/* ---- rows ---- */

/* Seconds since the client's last message; -1: not known. */
static double
idle_seconds(const struct conn *c)
{
	double last;

	if (c->timeout.list == NULL || !c->authorized)
		return -1;
	last = timeout_started(&c->timeout);
	if (c->pinged)
		last -= c->app->activity_timeout;
	return MAX(worker_now() - last, 0.);
}

static void
put_channels(struct json_writer *w, const struct conn *c)
{
	size_t shown = 0, more = 0;
	struct list *e;

	json_key(w, "channels");
	json_array_open(w);
	LIST_FOREACH(e, &c->subs) {
		const struct subscription *s = SUBSCRIPTION_OF(e);

		if (shown == CHANNELS_SHOWN) {
			more++;
			continue;
		}
		shown++;
		json_object_open(w);
		json_member_str(w, "channel", topic_name(s->t));
		json_key(w, "user");
		if (s->member != NULL)
			json_put_str(w, s->member->id);
		else
			json_put_null(w);
		json_member_bool(w, "on", s->on);
		json_object_close(w);
	}
	json_array_close(w);
	json_member_u64(w, "channels_not_shown", more);
}

static void
put_compression(struct json_writer *w, const struct conn *c)
{
	struct buf *b = NULL;

	json_key(w, "compression");
	if (c->deflate.bits == 0) {
		json_put_null(w);
	} else {
		compression_terms(c, &b);
		json_put_str(w, buf_str(b));
	}
	buf_unref(b);
	json_member_u64(w, "bytes_saved", (uint64_t)MAX(c->saved, 0));
}

static void
put_conn(struct buf **rows, const struct conn_list *k, const struct conn *c)
{
	char sid[SOCKET_ID_MAX], address[80];
	double idle = idle_seconds(c);
	struct json_writer w;
	struct buf *b;

	json_writer_init(&w);
	json_object_open(&w);
	socket_id_text(conn_sid(c), sid);
	json_member_str(&w, "socket_id", str_of(sid));
	json_member_str(&w, "app", str_of(c->app->id));
	json_member_u64(&w, "worker", k->w->inherit->slot);
	remote_text(c, address, sizeof(address));
	json_member_str(&w, "address", str_of(address));
	json_member_u64(
	    &w, "age", (uint64_t)MAX(worker_now() - c->opened_at, 0.));
	json_key(&w, "idle");
	if (idle >= 0)
		json_put_u64(&w, (uint64_t)idle);
	else
		json_put_null(&w);
	json_key(&w, "user");
	if (c->signed_in && c->user != NULL)
		json_put_str(&w, c->user->id);
	else
		json_put_null(&w);
	json_member_u64(&w, "subscriptions", c->nsubs);
	json_member_u64(&w, "received", c->messages_in);
	json_member_u64(&w, "sent", c->out.pushes);
	json_member_u64(&w, "bytes_sent", c->out.out);
	json_member_u64(&w, "queued", outq_bytes(&c->out));
	json_key(&w, "confirmed");
	if (c->session.named && c->session.row != UINT32_MAX &&
	    !c->session.mute)
		json_put_u64(&w,
		    session_acked(c->w->sessions, &c->session, conn_sid(c)));
	else
		json_put_null(&w);
	if (k->kind == CONN_QUERY_SHOW) {
		put_compression(&w, c);
		put_channels(&w, c);
	}
	json_object_close(&w);
	b = json_writer_take(&w);
	buf_append(rows, buf_str(b));
	buf_putc(rows, '\n');
	buf_unref(b);
}

static void
tell(struct conn_list *k, struct str rows, bool last)
{
	struct msg_conn_query_rows m = {
		.id = k->id, .n = k->n, .last = last, .rows = rows
	};

	k->n = 0;
	k->reported = worker_now();
	link_send_conn_query_rows(k->w, &m);
	if (last)
		conn_list_free(k);
}

/* Sends one portion of rows. */
static void
go_on(struct conn_list *k)
{
	struct buf *rows = NULL;
	size_t looked = 0;
	struct conn *c;

	while (k->n < ROWS_MAX && (c = conn_list_next(k, &looked)) != NULL) {
		put_conn(&rows, k, c);
		k->n++;
	}
	tell(k, buf_str(rows), k->at.sid == 0);
	buf_unref(rows);
}

/* ---- closing ---- */

static void
kill_some(struct conn_list *k)
{
	size_t looked = 0;
	struct conn *c;

	for (int i = 0; i < KILL_MAX; i++) {
		if ((c = conn_list_next(k, &looked)) == NULL)
			break;
		if (k->kind == CONN_QUERY_KILL)
			client_close(
			    c, PUSHER_UNAUTHORIZED, S("connection terminated"));
		else
			client_part(c, PUSHER_RECONNECT,
			    "connection closed by the operator: reconnect");
		k->n++;
	}
}

static void
on_kill_tick(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct conn_list *k = container_of(timer, struct conn_list, timer);

	kill_some(k);
	if (k->at.sid == 0)
		tell(k, S(""), true);
	else if (worker_now() - k->reported >= TELL_SECONDS)
		tell(k, S(""), false);
}

/* ---- handlers ---- */

/* The first connection: a given one, or the first of the list. */
static uint64_t
first(struct worker *w, uint64_t sid)
{
	struct conn *c;

	if (sid == 0)
		return sid_at(w, w->clients.next);
	c = conn_find(w, sid);
	return c == NULL || list_is_empty(&c->client) ? 0 : sid;
}

int
conn_list_on_query(struct worker *w, const struct msg_conn_query *m)
{
	struct conn_list *k;
	struct list *e;
	int n = 0;

	LIST_FOREACH(e, &w->conn_lists->all)
		n++;
	if (m->kind > CONN_QUERY_RECONNECT || n >= CONN_LISTS_MAX ||
	    conn_list_find(w, m->id) != NULL)
		return -1;
	k = xcalloc(1, sizeof(*k) + m->channel.n + m->user_id.n);
	k->w = w;
	k->id = m->id;
	k->sid = m->sid;
	k->kind = m->kind;
	k->app = m->app;
	k->channel_len = m->channel.n;
	k->user_len = m->user_id.n;
	if (m->channel.n > 0)
		memcpy(k->text, m->channel.p, m->channel.n);
	if (m->user_id.n > 0)
		memcpy(k->text + m->channel.n, m->user_id.p, m->user_id.n);
	k->at.sid = first(w, m->sid);
	k->began = k->reported = worker_now();
	list_init(&k->link);
	list_init(&k->at.link);
	list_append(&w->cursors, &k->at.link);
	list_append(&w->conn_lists->all, &k->link);
	ev_timer_init(&k->timer, on_kill_tick, 0., KILL_TICK);
	if (is_kill(k))
		ev_timer_start(w->loop, &k->timer);
	else
		go_on(k);
	return 0;
}

int
conn_list_on_more(struct worker *w, const struct msg_conn_query_more *m)
{
	struct conn_list *k = conn_list_find(w, m->id);

	if (k == NULL || is_kill(k))
		return -1;
	go_on(k);
	return 0;
}

int
conn_list_on_cancel(struct worker *w, const struct msg_conn_query_cancel *m)
{
	struct conn_list *k = conn_list_find(w, m->id);

	if (k != NULL) /* otherwise the query had ended already */
		conn_list_free(k);
	return 0;
}
