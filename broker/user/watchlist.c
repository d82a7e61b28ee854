/* SPDX-License-Identifier: MIT */
/*
 * watchlist.c: watchlists in both directions, and their events.  Owns struct
 * watch.  Every watch stores the state that its connection was told, and the
 * connection is told only changes of it.  The connection's worker stores the
 * same state (the bits of SIGNIN_DONE and WATCHLIST_EVENT) and reports it in
 * its replay, so that it survives the broker.
 */

#include "broker/user/watchlist.h"

#include <stdlib.h>

#include "broker/channel/registry.h"
#include "broker/core/budget.h"
#include "broker/core/core.h"
#include "broker/link/peer.h"
#include "shared/base/base.h"
#include "shared/base/xmalloc.h"
#include "shared/json/json_slice.h"
#include "shared/json/json_write.h"
#include "shared/pusher/channel_name.h"
#include "shared/pusher/frames.h"

/* Bytes of the longest list that a worker sends, with commas and brackets. */
#define LIST_MAX (USERS_WATCHLIST_MAX * (USER_ID_JSON_BYTES + 1) + 1)
#define TELL_AT_ONCE 1000 /* watchers in one turn */
#define FREE_AT_ONCE 1000 /* names in one turn */
#define LONG_BYTES 1024   /* of a list that is entered in its turn */

/* {"name":"online","user_ids":["a"]}, after a comma if necessary. */
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

static void
tell(struct broker *br, struct watch *wa, bool online, struct str frames)
{
	const struct session *s = wa->s;
	unsigned slot = registry_receiver(br->registry, s->slot);
	struct msg_watchlist_event m = {
		.sid = s->sid, .at = wa->at, .online = online, .frames = frames
	};

	wa->notified = online;
	if (br->peers[slot] == NULL)
		return;
	if (br->sender != NULL)
		br->sender->targets |= UINT64_C(1) << slot;
	ipc_send_watchlist_event(&br->peers[slot]->ipc, &m);
}

/* The change of one user, in the scratch buf. */
static struct str
change_of(struct broker *br, const struct user *u, bool online)
{
	struct buf *id = NULL, **b = broker_scratch(br);

	json_quote(&id, user_id(u));
	write_frame(
	    b, online ? buf_str(id) : S(""), online ? S("") : buf_str(id));
	buf_unref(id);
	return buf_str(*b);
}

void
watchlist_tell(struct broker *br, struct user *u)
{
	u->untold = u->nwatchers;
	if (u->untold > 0 && list_is_empty(&u->telling))
		list_append(&br->users->telling, &u->telling);
}

/* Tells its first watchers, which become its last ones; at most *left. */
static void
tell_first(struct broker *br, struct user *u, unsigned *left)
{
	bool online = user_is_online(u);
	struct str frames = { NULL, 0 };

	for (; u->untold > 0 && *left > 0; u->untold--, --*left) {
		struct watch *wa =
		    LIST_ITEM(u->watchers.next, struct watch, in_user);

		list_remove(&wa->in_user);
		list_append(&u->watchers, &wa->in_user);
		if (wa->s == NULL || !wa->s->answered || wa->notified == online)
			continue;
		if (frames.p == NULL)
			frames = change_of(br, u, online);
		tell(br, wa, online, frames);
	}
}

bool
watchlist_go_on(struct broker *br)
{
	struct list *telling = &br->users->telling;
	unsigned left = TELL_AT_ONCE;

	while (!list_is_empty(telling) && left > 0) {
		struct user *u = LIST_ITEM(telling->next, struct user, telling);

		tell_first(br, u, &left);
		if (u->untold > 0)
			break;
		list_remove(&u->telling);
		user_release(br, u);
	}
	return !list_is_empty(telling);
}

bool
watchlist_is_notified(const struct user *u)
{
	struct list *e;

	LIST_FOREACH(e, &u->watchers) {
		const struct watch *wa = LIST_ITEM(e, struct watch, in_user);

		if (wa->s != NULL && wa->notified)
			return true;
	}
	return false;
}

void
watchlist_correct(struct broker *br, struct session *s)
{
	for (size_t i = 0; i < s->nwatches; i++) {
		struct watch *wa = &s->watches[i];
		bool online = user_is_online(wa->u);

		if (wa->notified != online)
			tell(br, wa, online, change_of(br, wa->u, online));
	}
}

void
watchlist_write(struct buf **b, struct session *s, uint8_t online[WATCH_BYTES])
{
	struct buf *lists[2] = { NULL, NULL };

	for (size_t i = 0; i < s->nwatches; i++) {
		struct watch *wa = &s->watches[i];
		struct buf **list;

		wa->notified = user_is_online(wa->u);
		if (wa->notified)
			online[wa->at / 8] |= (uint8_t)(1u << wa->at % 8);
		list = &lists[wa->notified ? 0 : 1];
		if (*list != NULL)
			buf_putc(list, ',');
		json_quote(list, user_id(wa->u));
	}
	if (s->nwatches > 0)
		write_frame(b, buf_str(lists[0]), buf_str(lists[1]));
	buf_unref(lists[0]);
	buf_unref(lists[1]);
}

static size_t
list_cost(const struct session *s)
{
	return s->list->len + BUDGET_BLOCK;
}

static void
forget_list(struct broker *br, struct session *s)
{
	if (s->list == NULL)
		return;
	budget_sub(br->budget, s->user->app, list_cost(s));
	buf_unref(s->list);
	s->list = NULL;
}

/* Nobody reads it any more; the users whom it names are left one by one. */
struct ended {
	struct list link; /* in users->ended */
	struct watch *watches;
	size_t nwatches, nlist;
	uint32_t app;
};

void
watchlist_clear(struct broker *br, struct session *s)
{
	struct ended *e;

	forget_list(br, s);
	if (s->watches == NULL)
		return;
	e = xcalloc(1, sizeof(*e));
	*e = (struct ended){ .watches = s->watches,
		.nwatches = s->nwatches,
		.nlist = s->nlist,
		.app = s->user->app };
	for (size_t i = 0; i < s->nwatches; i++)
		s->watches[i].s = NULL;
	list_init(&e->link);
	list_append(&br->users->ended, &e->link);
	s->watches = NULL;
	s->nwatches = s->nlist = 0;
}

static void
leave_user(struct broker *br, struct watch *w)
{
	struct user *u = w->u;

	list_remove(&w->in_user);
	u->nwatchers--;
	u->untold = MIN(u->untold, u->nwatchers);
	user_release(br, u);
}

bool
watchlist_free_some(struct broker *br)
{
	struct list *ended = &br->users->ended;
	struct ended *e;

	for (int left = FREE_AT_ONCE; left > 0 && !list_is_empty(ended);) {
		e = LIST_ITEM(ended->next, struct ended, link);
		for (; left > 0 && e->nwatches > 0; left--)
			leave_user(br, &e->watches[--e->nwatches]);
		if (e->nwatches > 0)
			break;
		left--;
		list_remove(&e->link);
		budget_sub(br->budget, e->app, e->nlist * sizeof(*e->watches));
		free(e->watches);
		free(e);
	}
	return !list_is_empty(ended);
}

/* Element `at` of the list names this user. */
static void
watch(struct broker *br, struct session *s, struct str id, size_t at,
    bool notified)
{
	struct user *u = user_get(br, s->user->app, id);
	struct watch *w;

	if (u->nwatchers > 0 &&
	    LIST_ITEM(u->watchers.prev, struct watch, in_user)->s == s)
		return; /* named twice */
	w = &s->watches[s->nwatches++];
	w->s = s;
	w->u = u;
	w->at = (uint16_t)at;
	w->notified = notified;
	list_init(&w->in_user);
	list_append(&u->watchers, &w->in_user);
	u->nwatchers++;
}

static bool
has_bit(struct str bits, size_t at)
{
	return at / 8 < bits.n && ((uint8_t)bits.p[at / 8] >> at % 8 & 1) != 0;
}

/* A list is an array of at most so many strings; -1: it is none. */
static int
read_list(struct str text, struct json *list, size_t *n)
{
	struct json e;
	size_t pos = 0;
	const char *err;

	*n = 0;
	if (text.n == 0) {
		*list = (struct json){ JSON_ARRAY, S("[]") };
		return 0;
	}
	if (text.n > LIST_MAX || json_parse(text, list, &err) == -1 ||
	    list->kind != JSON_ARRAY)
		return -1;
	for (; json_next(*list, &pos, &e); ++*n)
		if (e.kind != JSON_STRING || *n == USERS_WATCHLIST_MAX)
			return -1;
	return 0;
}

/* Replaces the session's list by this one, of n elements. */
static int
enter(struct broker *br, struct session *s, struct json list, size_t n,
    struct str online)
{
	struct json e;
	size_t pos = 0;
	char *tmp = NULL;
	struct str id;
	int r = 0;

	watchlist_clear(br, s);
	if (n == 0)
		return 0;
	s->nlist = n;
	s->watches = xcalloc(n, sizeof(*s->watches));
	budget_add(br->budget, s->user->app, n * sizeof(*s->watches));
	for (size_t at = 0; r == 0 && json_next(list, &pos, &e); at++) {
		r = json_string(e, &id, &tmp);
		if (r == 0)
			watch(br, s, id, at, has_bit(online, at));
	}
	free(tmp);
	return r;
}

int
watchlist_set(struct broker *br, struct session *s, const struct msg_signin *m)
{
	struct json list;
	size_t n;

	return read_list(m->watchlist, &list, &n) == -1
	    ? -1
	    : enter(br, s, list, n, m->online);
}

bool
watchlist_is_long(const struct msg_signin *m)
{
	return m->watchlist.n > LONG_BYTES;
}

int
watchlist_put_off(
    struct broker *br, struct session *s, const struct msg_signin *m)
{
	struct json list;
	size_t n;

	if (read_list(m->watchlist, &list, &n) == -1)
		return -1;
	forget_list(br, s);
	s->list = buf_from(m->watchlist);
	budget_add(br->budget, s->user->app, list_cost(s));
	return 0;
}

size_t
watchlist_enter(struct broker *br, struct session *s)
{
	struct buf *text = s->list;
	struct json list;
	size_t n = 0;

	if (text == NULL)
		return 0;
	buf_ref(text); /* enter() forgets it */
	if (read_list(buf_str(text), &list, &n) == 0)
		enter(br, s, list, n, S(""));
	buf_unref(text);
	return n;
}
