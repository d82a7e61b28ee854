/* SPDX-License-Identifier: MIT */
/*
 * users.c: signed-in connections (struct session), the users they belong to,
 * and watchlists in both directions.  Owns all three.
 *
 * A user's channel "#server-to-user-<id>" is in the registry, hidden, with a
 * count for each session, so that an event to it takes the hot path.  What
 * watchers are told follows one rule: the state in the frame after a sign-in
 * plus the later events is the state of the moment.  So a user who is leaving
 * still counts as online, until "offline" has gone out.
 */

#include "broker/users.h"

#include <stdlib.h>

#include "broker/broker.h"
#include "broker/peer.h"
#include "shared/base.h"
#include "shared/channel_name.h"
#include "shared/frames.h"
#include "shared/json_slice.h"
#include "shared/json_write.h"
#include "shared/xmalloc.h"

#define ID_MAX 200          /* bytes; they are ASCII */
#define LIST_MAX (2u << 20) /* bytes of a watchlist; workers allow less */
#define OFFLINE_AT_ONCE 500 /* in one turn */

struct user_key {
	uint32_t app;
	struct str id;
};

static bool
user_eq(const struct hash_node *n, const void *key)
{
	const struct user_key *k = key;
	const struct user *u = container_of(n, const struct user, node);

	return u->app == k->app && str_eq(user_id(u), k->id);
}

static bool
session_eq(const struct hash_node *n, const void *key)
{
	const uint64_t *sid = key;

	return container_of(n, const struct session, node)->sid == *sid;
}

struct user *
users_find(const struct broker *br, uint32_t app, struct str id)
{
	struct user_key k = { app, id };
	struct hash_node *n =
	    hash_find(&br->users.by_id, hash_str(id, app), user_eq, &k);

	return n == NULL ? NULL : container_of(n, struct user, node);
}

static struct user *
user_get(struct broker *br, uint32_t app, struct str id)
{
	struct user *u = users_find(br, app, id);

	if (u != NULL)
		return u;
	u = xcalloc(1, sizeof(*u) + id.n);
	u->app = app;
	u->id_len = id.n;
	memcpy(u->id, id.p, id.n);
	list_init(&u->watchers);
	list_init(&u->leaving);
	hash_insert(&br->users.by_id, &u->node, hash_str(id, app));
	return u;
}

static bool
is_leaving(const struct user *u)
{
	return !list_is_empty(&u->leaving);
}

static bool
is_online(const struct user *u)
{
	return u->nsessions > 0 || is_leaving(u);
}

/* Frees it when nobody needs it. */
static void
user_release(struct broker *br, struct user *u)
{
	if (is_online(u) || !list_is_empty(&u->watchers))
		return;
	hash_remove(&br->users.by_id, &u->node);
	free(u);
}

static struct session *
session_find(const struct broker *br, uint64_t sid)
{
	struct hash_node *n =
	    hash_find(&br->users.by_sid, hash_u64(sid), session_eq, &sid);

	return n == NULL ? NULL : container_of(n, struct session, node);
}

/* ---- what watchers are told ---- */

/* {"name":"online","user_ids":["a"]}, with a comma before if need be. */
static void
write_change(struct buf **b, const char *name, struct str ids)
{
	if (ids.n == 0)
		return;
	if ((*b)->len > 0 && (*b)->data[(*b)->len - 1] == '}')
		buf_putc(b, ',');
	buf_printf(b, "{\"name\":\"%s\",\"user_ids\":[", name);
	json_raw(b, ids);
	json_raw(b, S("]}"));
}

/* Both are lists of JSON strings, separated by commas; may be empty. */
static void
write_frame(struct buf **b, struct str online, struct str offline)
{
	struct buf *inner = buf_new(64 + online.n + offline.n);
	size_t mark = frame_begin(b);

	json_raw(&inner, S("{\"events\":["));
	write_change(&inner, "online", online);
	write_change(&inner, "offline", offline);
	json_raw(&inner, S("]}"));
	json_raw(b,
	    S("{\"event\":\"pusher_internal:watchlist_events\","
	      "\"data\":\""));
	json_nest(b, buf_str(inner));
	json_raw(b, S("\"}"));
	frame_end(b, mark);
	buf_unref(inner);
}

/* Tells everybody who watches u, but for one connection. */
static void
tell_watchers(struct broker *br, const struct user *u, bool online,
    const struct session *except)
{
	struct buf *id = NULL, **b = broker_scratch(br);
	struct msg_direct m = { 0 };
	struct list *e;

	if (list_is_empty(&u->watchers))
		return;
	json_quote(&id, user_id(u));
	write_frame(
	    b, online ? buf_str(id) : S(""), online ? S("") : buf_str(id));
	buf_unref(id);
	m.frames = buf_str(*b);
	LIST_FOREACH(e, &u->watchers) {
		const struct session *s =
		    LIST_ITEM(e, struct watch, in_user)->s;

		if (s == except || br->peers[s->slot] == NULL)
			continue;
		m.sid = s->sid;
		if (br->cause != NULL)
			br->cause->targets |= UINT64_C(1) << s->slot;
		ipc_send_direct(&br->peers[s->slot]->ipc, &m);
	}
}

/* The present state of everybody whom the connection watches. */
static void
write_state(struct buf **b, const struct session *s)
{
	struct buf *lists[2] = { NULL, NULL };

	for (size_t i = 0; i < s->nwatches; i++) {
		const struct user *u = s->watches[i].u;
		struct buf **list = &lists[is_online(u) ? 0 : 1];

		if (*list != NULL)
			buf_putc(list, ',');
		json_quote(list, user_id(u));
	}
	if (s->nwatches > 0)
		write_frame(b, buf_str(lists[0]), buf_str(lists[1]));
	buf_unref(lists[0]);
	buf_unref(lists[1]);
}

/* ---- watchlists ---- */

static void
unwatch(struct broker *br, struct session *s)
{
	for (size_t i = 0; i < s->nwatches; i++) {
		list_remove(&s->watches[i].in_user);
		user_release(br, s->watches[i].u);
	}
	free(s->watches);
	s->watches = NULL;
	s->nwatches = 0;
}

static void
watch(struct broker *br, struct session *s, struct str id)
{
	struct user *u = user_get(br, s->user->app, id);
	struct watch *w;

	for (size_t i = 0; i < s->nwatches; i++)
		if (s->watches[i].u == u)
			return; /* named twice */
	w = &s->watches[s->nwatches++];
	w->s = s;
	w->u = u;
	list_init(&w->in_user);
	list_append(&u->watchers, &w->in_user);
}

/* text: a JSON array of strings, or empty.  -1: it is neither. */
static int
watch_all(struct broker *br, struct session *s, struct str text)
{
	struct json list, e;
	size_t pos = 0, n = 0;
	const char *err;
	char *tmp = NULL;
	struct str id;

	if (text.n == 0)
		return 0;
	if (text.n > LIST_MAX || json_parse(text, &list, &err) == -1 ||
	    list.kind != JSON_ARRAY)
		return -1;
	while (json_next(list, &pos, &e))
		n++;
	if (n > USERS_WATCHLIST_MAX)
		return -1;
	if (n > 0)
		s->watches = xcalloc(n, sizeof(*s->watches));
	pos = 0;
	while (json_next(list, &pos, &e)) {
		if (e.kind != JSON_STRING || json_string(e, &id, &tmp) == -1) {
			free(tmp);
			return -1;
		}
		watch(br, s, id);
	}
	free(tmp);
	return 0;
}

/* ---- sessions ---- */

/* The name of the user's channel, in the scratch buf. */
static struct str
channel_of(struct broker *br, const struct user *u)
{
	struct buf **b = broker_scratch(br);

	buf_append(b, S(CHANNEL_USER_PREFIX));
	buf_append(b, user_id(u));
	return buf_str(*b);
}

static struct session *
session_new(
    struct broker *br, const struct peer *p, uint64_t sid, struct user *u)
{
	struct session *s = xcalloc(1, sizeof(*s));

	s->sid = sid;
	s->slot = (unsigned)p->slot;
	s->user = u;
	list_init(&s->in_slot);
	list_append(&br->users.sessions[s->slot], &s->in_slot);
	hash_insert(&br->users.by_sid, &s->node, hash_u64(sid));
	u->nsessions++;
	if (u->channel == NULL)
		u->channel =
		    registry_get(&br->registry, u->app, channel_of(br, u));
	registry_enter(&br->registry, u->channel, s->slot);
	return s;
}

/* The user's last session is over: offline, unless somebody comes back. */
static void
begin_leaving(struct broker *br, struct user *u)
{
	registry_release(&br->registry, u->channel);
	u->channel = NULL;
	u->due = broker_now() + USERS_OFFLINE;
	list_append(&br->users.leaving, &u->leaving);
	if (!ev_is_active(&br->offline)) {
		ev_timer_set(&br->offline, USERS_OFFLINE, 0.);
		ev_timer_start(br->loop, &br->offline);
	}
}

static void
session_end(struct broker *br, struct session *s)
{
	struct user *u = s->user;

	unwatch(br, s);
	registry_leave(&br->registry, u->channel, s->slot);
	list_remove(&s->in_slot);
	hash_remove(&br->users.by_sid, &s->node);
	free(s);
	if (--u->nsessions == 0)
		begin_leaving(br, u);
}

void
users_answer(struct peer *p, uint64_t sid)
{
	struct msg_signin_done done = { .sid = sid };
	struct session *s = session_find(p->br, sid);
	struct buf **b;

	if (resync_is_on(p->br)) {
		resync_put_off_signin(p, sid);
		return;
	}
	if (s == NULL)
		return; /* has left again */
	b = broker_scratch(p->br);
	write_state(b, s);
	done.frames = buf_str(*b);
	ipc_send_signin_done(&p->ipc, &done);
}

int
users_on_signin(struct peer *p, const struct msg_signin *m)
{
	struct broker *br = p->br;
	struct session *s = session_find(br, m->sid);
	struct user *u;
	bool came = false;

	if (m->user_id.n == 0 || m->user_id.n > ID_MAX)
		return -1;
	peer_number(p, m->seq);
	if (s == NULL) {
		u = user_get(br, m->app, m->user_id);
		came = !is_online(u);
		list_remove(&u->leaving);
		s = session_new(br, p, m->sid, u);
	} else if (s->slot != (unsigned)p->slot || s->user->app != m->app ||
	    !str_eq(user_id(s->user), m->user_id)) {
		return -1;
	} else if (m->replay && m->seq != 0 && !p->known) {
		/* Answered, but the watchers may not have heard of it. */
		if (s->user->nsessions == 1)
			tell_watchers(br, s->user, true, s);
		return 0;
	}
	unwatch(br, s);
	if (watch_all(br, s, m->watchlist) == -1)
		return -1;
	if (!m->replay)
		users_answer(p, m->sid);
	if (came && (!m->replay || p->known))
		tell_watchers(br, s->user, true, s);
	return 0;
}

int
users_on_signout(struct peer *p, const struct msg_signout *m)
{
	struct session *s = session_find(p->br, m->sid);

	peer_number(p, m->seq);
	if (s == NULL || s->slot != (unsigned)p->slot)
		return -1;
	session_end(p->br, s);
	return 0;
}

int
users_on_terminate(void *owner, const struct ipc_in *in)
{
	struct peer *p = owner;
	struct broker *br = p->br;
	struct msg_terminate m;
	const struct user *u;
	uint64_t mask;

	if (p->slot == -1 || msg_terminate_get(&m, in->body) == -1)
		return -1;
	peer_number(p, m.seq);
	u = users_find(br, m.app, m.user_id);
	if (u == NULL || u->channel == NULL)
		return 0;
	p->targets |= u->channel->slots;
	for (mask = u->channel->slots; mask != 0; mask &= mask - 1)
		ipc_pass(&br->peers[__builtin_ctzll(mask)]->ipc, in);
	return 0;
}

void
users_on_offline_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct broker *br = container_of(w, struct broker, offline);
	double now = broker_now();
	struct user *u;
	int left = OFFLINE_AT_ONCE;

	UNUSED(loop);
	UNUSED(revents);
	while (!list_is_empty(&br->users.leaving)) {
		u = LIST_ITEM(br->users.leaving.next, struct user, leaving);
		if (u->due > now || left-- == 0) {
			ev_timer_set(w, MAX(u->due - now, 0.001), 0.);
			ev_timer_start(br->loop, w);
			return;
		}
		list_remove(&u->leaving);
		tell_watchers(br, u, false, NULL);
		user_release(br, u);
	}
}

void
users_drop(struct broker *br, unsigned slot)
{
	struct list *sessions = &br->users.sessions[slot];

	while (!list_is_empty(sessions))
		session_end(
		    br, LIST_ITEM(sessions->next, struct session, in_slot));
}

void
users_init(struct broker *br)
{
	list_init(&br->users.leaving);
	for (size_t i = 0; i < nitems(br->users.sessions); i++)
		list_init(&br->users.sessions[i]);
}

void
users_clear(struct broker *br)
{
	for (unsigned i = 0; i < br->nslots; i++)
		users_drop(br, i);
	while (!list_is_empty(&br->users.leaving)) {
		struct user *u =
		    LIST_ITEM(br->users.leaving.next, struct user, leaving);

		list_remove(&u->leaving);
		user_release(br, u);
	}
	hash_clear(&br->users.by_id);
	hash_clear(&br->users.by_sid);
}
