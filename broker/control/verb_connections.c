/* SPDX-License-Identifier: MIT */
/*
 * verb_connections.c: the verbs about connections and signed-in users.  The
 * broker knows the users; the workers know the connections, so those questions
 * are passed on as a CONN_QUERY.  A close is for good (4009) unless the
 * operator wants the clients to reconnect: a client that was closed on purpose
 * must not be there again a second later (protocol reference, 2.1 and 2.2).
 */

#include "broker/control/verb_connections.h"

#include <stdlib.h>

#include "broker/app/apps.h"
#include "broker/control/conn_query.h"
#include "broker/control/control_job.h"
#include "broker/control/name_list.h"
#include "broker/control/verb_args.h"
#include "broker/core/core.h"
#include "broker/user/user.h"
#include "shared/base/base.h"
#include "shared/pusher/channel_name.h"

/* The texts of a question about connections. */
struct wanted {
	struct broker_app *a; /* NULL: every app */
	struct str channel, user, sid;
	char *tmp[3];
};

static void
wanted_clear(struct wanted *q)
{
	for (size_t i = 0; i < nitems(q->tmp); i++)
		free(q->tmp[i]);
}

/* -1 after a sentence; wanted_clear() must be called in any case. */
static int
wanted_read(struct control_client *cc, struct json args, struct wanted *q)
{
	*q = (struct wanted){ .a = NULL };
	if (verb_app_or_all(cc, args, &q->a) == -1)
		return -1;
	if (verb_text(args, S("channel"), &q->channel, &q->tmp[0]) == -1 ||
	    verb_text(args, S("user"), &q->user, &q->tmp[1]) == -1 ||
	    verb_text(args, S("socket_id"), &q->sid, &q->tmp[2]) == -1)
		control_fail(
		    cc, "channel, user and socket_id have to be texts");
	else if (q->sid.p != NULL && socket_id_parse(q->sid) == 0)
		control_fail(cc, "there is no connection \"%.*s\"",
		    (int)MIN(q->sid.n, 64), q->sid.p);
	else if ((q->channel.p != NULL || q->user.p != NULL) && q->a == NULL)
		control_fail(cc, "a channel or a user needs its app");
	else
		return 0;
	return -1;
}

static struct msg_conn_query
query_for(const struct wanted *q, enum conn_query_kind kind)
{
	return (struct msg_conn_query){ .kind = kind,
		.app = q->a == NULL ? 0 : q->a->app.num,
		.sid = q->sid.p == NULL ? 0 : socket_id_parse(q->sid),
		.channel = q->channel.p == NULL ? S("") : q->channel,
		.user_id = q->user.p == NULL ? S("") : q->user };
}

/* ---- connections ---- */

void
verb_connections(struct control_client *cc, struct json args)
{
	struct json v = json_get(args, S("limit"));
	struct msg_conn_query what;
	uint64_t limit = 0;
	struct wanted q;

	if (wanted_read(cc, args, &q) == -1)
		;
	else if (v.kind != JSON_NONE && json_u64(v, UINT64_MAX, &limit) == -1)
		control_fail(cc, "limit has to be a number");
	else {
		what = query_for(&q, CONN_QUERY_LIST);
		conn_query_begin(cc, &what, limit);
	}
	wanted_clear(&q);
}

void
verb_connection(struct control_client *cc, struct json args)
{
	struct msg_conn_query what;
	struct wanted q;

	if (wanted_read(cc, args, &q) == 0) {
		what = query_for(&q, CONN_QUERY_SHOW);
		if (what.sid == 0)
			control_fail(cc, "socket_id is missing");
		else
			conn_query_begin(cc, &what, 1);
	}
	wanted_clear(&q);
}

void
verb_kill(struct control_client *cc, struct json args)
{
	bool back = json_get(args, S("reconnect")).kind == JSON_TRUE;
	struct msg_conn_query what;
	struct wanted q;

	if (wanted_read(cc, args, &q) == 0) {
		what = query_for(
		    &q, back ? CONN_QUERY_RECONNECT : CONN_QUERY_KILL);
		if (what.sid == 0 && what.app == 0)
			control_fail(cc, "an app or a socket_id is missing");
		else
			conn_query_begin(cc, &what, 0);
	}
	wanted_clear(&q);
}

/* ---- users ---- */

static size_t
count_watchers(const struct user *u)
{
	struct list *e;
	size_t n = 0;

	LIST_FOREACH(e, &u->watchers)
		n++;
	return n;
}

static void
user_row(struct control_client *cc, const struct broker_app *a, struct str id,
    struct str type)
{
	const struct user *u = users_find(cc->br, a->app.num, id);
	struct json_writer w;

	if (u == NULL || (u->nsessions == 0 && type.n == 0))
		return; /* has left meanwhile */
	verb_row_begin(&w, type.n == 0 ? NULL : "user");
	json_member_str(&w, "app", str_of(a->app.id));
	json_member_str(&w, "user", id);
	json_member_u64(&w, "connections", u->nsessions);
	json_member_u64(&w, "watchers", count_watchers(u));
	verb_row_end(cc, &w);
}

struct listing {
	struct name_list *s;
	const struct broker *br;
};

static void
see_user(void *arg, struct hash_node *n)
{
	const struct listing *to = arg;
	const struct user *u = container_of(n, const struct user, node);

	if (u->nsessions > 0)
		name_list_offer(to->s, to->br, u->app, user_id(u));
}

static bool
users_portion(struct name_list *s, struct broker *br, struct name_cursor *at,
    struct str about)
{
	struct listing to = { s, br };

	return hash_walk(
	    &br->users->by_id, &at->hash, NAME_LIST_LOOK, see_user, &to);
}

void
verb_users(struct control_client *cc, struct json args)
{
	struct broker_app *only;

	if (verb_app_or_all(cc, args, &only) == 0)
		name_list_begin(
		    cc, name_list_new(user_row, S("")), users_portion, only);
}

/* The user, then every connection that is signed in as the user. */
void
verb_user(struct control_client *cc, struct json args)
{
	struct msg_conn_query what;
	const struct user *u;
	struct wanted q;

	if (wanted_read(cc, args, &q) == -1) {
		;
	} else if (q.a == NULL || q.user.p == NULL) {
		control_fail(cc, "app and user are needed");
	} else {
		u = users_find(cc->br, q.a->app.num, q.user);
		if (u == NULL || u->nsessions == 0) {
			control_fail(cc,
			    "nobody is signed in to app %s as \"%.*s\"",
			    q.a->app.id, (int)MIN(q.user.n, 128), q.user.p);
		} else {
			user_row(cc, q.a, q.user, S("user"));
			what = query_for(&q, CONN_QUERY_LIST);
			conn_query_begin(cc, &what, 0);
		}
	}
	wanted_clear(&q);
}
