/* SPDX-License-Identifier: MIT */
/*
 * users.c: signed-in connections (struct session) and their users.  Owns both;
 * watchlists are in watchlist.c.  A user's channel "#server-to-user-<id>" is in
 * the registry, hidden, with a count for each session, so that an event to it
 * takes the hot path.
 *
 * One rule governs what watchers are told: the state in the frame after a
 * sign-in, changed by the later events, is the present state.  So a user who is
 * leaving still counts as online until watchers are told "offline".
 */

#include "broker/user/users.h"

#include <stdlib.h>

#include "broker/channel/registry.h"
#include "broker/channel/room.h"
#include "broker/core/budget.h"
#include "broker/core/core.h"
#include "broker/link/answers.h"
#include "broker/link/peer.h"
#include "broker/link/resync.h"
#include "broker/log/replay.h"
#include "broker/user/user.h"
#include "broker/user/watchlist.h"
#include "shared/base/base.h"
#include "shared/base/xmalloc.h"
#include "shared/pusher/channel_name.h"
#include "shared/pusher/frames.h"
#include "shared/pusher/pusher_errors.h"

#define ID_MAX USER_ID_BYTES
#define OFFLINE_AT_ONCE 500 /* in one turn */
#define DROPS_AT_ONCE 10000 /* likewise; each watched user counts as one, */
#define DROP_COUNTS 20      /* and a session as so many */
#define CORRECT_AT_ONCE 500 /* likewise */

#define REFUSED 413 /* SIGNIN_DONE.status */

static struct session *
session_find(const struct broker *br, uint64_t sid)
{
	struct hash_node *n = hash_find_u64(&br->users->by_sid, sid);

	return n == NULL ? NULL : container_of(n, struct session, node);
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
	list_append(&br->users->sessions[s->slot], &s->in_slot);
	hash_insert(&br->users->by_sid, &s->node, hash_u64(sid));
	budget_add(br->budget, u->app, sizeof(*s) + BUDGET_BLOCK);
	u->nsessions++;
	if (u->channel == NULL)
		u->channel =
		    registry_get(br->registry, u->app, channel_of(br, u));
	registry_enter(br->registry, u->channel, s->slot);
	return s;
}

/* The user has no session: offline, unless one comes back. */
static void
begin_leaving(struct broker *br, struct user *u)
{
	u->due = broker_now() + USERS_OFFLINE;
	list_append(&br->users->leaving, &u->leaving);
	if (!ev_is_active(&br->users->offline)) {
		ev_timer_set(&br->users->offline, USERS_OFFLINE, 0.);
		ev_timer_start(br->loop, &br->users->offline);
	}
}

static void
session_end(struct broker *br, struct session *s)
{
	struct user *u = s->user;

	watchlist_clear(br, s);
	registry_leave(br->registry, u->channel, s->slot);
	list_remove(&s->in_slot);
	hash_remove(&br->users->by_sid, &s->node);
	budget_sub(br->budget, u->app, sizeof(*s) + BUDGET_BLOCK);
	free(s);
	if (--u->nsessions > 0)
		return;
	registry_release(br->registry, u->channel);
	u->channel = NULL;
	begin_leaving(br, u);
}

static void
answer(struct peer *p, const struct msg_sub *m, uint64_t stamp)
{
	uint64_t sid = m->sid;
	uint8_t online[WATCH_BYTES] = { 0 };
	struct msg_signin_done done = { .sid = sid };
	struct session *s = session_find(p->br, sid);
	struct buf **b, *name;
	struct replay_sub r;

	if (s == NULL)
		return; /* has left again */
	answers_charge(p, watchlist_enter(p->br, s));
	name = buf_from(channel_of(p->br, s->user));
	b = broker_scratch(p->br);
	watchlist_write(b, s, online);
	replay_begin(
	    p->br->replay, &r, s->user->app, sid, buf_str(name), broker_now());
	replay_write(p->br->replay, &r, sid, b);
	buf_unref(name);
	done.pos = r.pos;
	done.back = r.back;
	done.online = str_make((const char *)online, (s->nlist + 7) / 8);
	done.frames = buf_str(*b);
	s->answered = true;
	ipc_send_signin_done(&p->ipc, &done);
}

/*
 * A sign-in costs memory, and so does a watchlist.  False: the app holds too
 * much, and the client has been told.
 */
static bool
has_room(struct peer *p, const struct session *s, const struct msg_signin *m)
{
	struct msg_signin_done done = { .sid = m->sid, .status = REFUSED };
	struct buf *text = NULL, **b;

	if (m->replay || p->br->applying || (s != NULL && m->watchlist.n == 0))
		return true;
	buf_append(&text, S("sign-in refused: "));
	if (!room_for(p->br, m->app, &text)) {
		b = broker_scratch(p->br);
		frame_error(b, PUSHER_UNAUTHORIZED, buf_str(text));
		done.frames = buf_str(*b);
		ipc_send_signin_done(&p->ipc, &done);
	}
	buf_unref(text);
	return done.frames.n == 0;
}

bool
users_is_refused(struct peer *p, const struct msg_signin *m)
{
	return m->seq != 0 && !has_room(p, session_find(p->br, m->sid), m);
}

int
users_on_signin(struct peer *p, const struct msg_signin *m)
{
	struct broker *br = p->br;
	struct session *s = session_find(br, m->sid);
	struct msg_sub question = { .app = m->app, .sid = m->sid };
	struct user *u;
	bool came = false, late;

	if (m->user_id.n == 0 || m->user_id.n > ID_MAX)
		return -1;
	peer_number(p, m->seq);
	if (!has_room(p, s, m))
		return 0;
	if (s == NULL) {
		u = user_get(br, m->app, m->user_id);
		came = !user_is_online(u);
		list_remove(&u->leaving);
		s = session_new(br, p, m->sid, u);
	} else if (s->slot != (unsigned)p->slot || s->user->app != m->app ||
	    !str_eq(user_id(s->user), m->user_id)) {
		return -1;
	} else if (m->replay && m->seq != 0) {
		return 0; /* it was answered, and has been replayed */
	}
	late = !m->replay && !p->ipc.sink && watchlist_is_long(m);
	if ((late ? watchlist_put_off(br, s, m) : watchlist_set(br, s, m)) ==
	    -1)
		return -1;
	s->answered = m->replay;
	if (!m->replay && (late || answers_must_wait(p)))
		answers_put_off(p, answer, &question, m->seq, 0);
	else if (!m->replay)
		answer(p, &question, 0);
	else
		replay_recall(br->replay, m->app, m->sid,
		    channel_of(br, s->user), m->pos, m->back);
	if (came && (!m->replay || p->rejoined))
		watchlist_tell(br, s->user);
	if (m->replay && p->rejoined)
		watchlist_correct(br, s);
	return 0;
}

/*
 * Watchers may know users who died together with the old broker, or may not
 * know yet the latest ones.
 */
static void
correct(void *arg, struct hash_node *n)
{
	struct broker *br = arg;
	struct user *u = container_of(n, struct user, node);

	if (user_is_online(u))
		watchlist_tell(br, u);
	else if (watchlist_is_notified(u))
		begin_leaving(br, u);
}

void
users_on_live(struct broker *br)
{
	br->users->incorrect = true;
	br->users->at = (struct hash_cursor){ 0 };
}

bool
users_go_on(struct broker *br)
{
	if (br->users->incorrect)
		br->users->incorrect = hash_walk(&br->users->by_id,
		    &br->users->at, CORRECT_AT_ONCE, correct, br);
	return watchlist_go_on(br) || br->users->incorrect;
}

int
users_on_signout(struct peer *p, const struct msg_signout *m)
{
	struct session *s = session_find(p->br, m->sid);

	peer_number(p, m->seq);
	if (s == NULL)
		return 0; /* it was refused */
	if (s->slot != (unsigned)p->slot)
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
	if (resync_must_wait(p, m.seq))
		return 0;
	peer_number(p, m.seq);
	u = users_find(br, m.app, m.user_id);
	if (u == NULL || u->channel == NULL)
		return 0;
	mask = registry_targets(br->registry, u->channel->slots);
	p->targets |= mask;
	for (; mask != 0; mask &= mask - 1)
		ipc_pass(&br->peers[__builtin_ctzll(mask)]->ipc, in);
	return 0;
}

static void
on_offline_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct broker *br = w->data;
	double now = broker_now();
	struct user *u;
	int left = OFFLINE_AT_ONCE;

	while (!list_is_empty(&br->users->leaving)) {
		u = LIST_ITEM(br->users->leaving.next, struct user, leaving);
		if (u->due > now || left-- == 0) {
			ev_timer_set(w, MAX(u->due - now, 0.001), 0.);
			ev_timer_start(br->loop, w);
			return;
		}
		list_remove(&u->leaving);
		watchlist_tell(br, u);
		user_release(br, u);
	}
}

/* Ends sessions until they count more than max; true: work is left. */
static bool
drop(struct broker *br, unsigned slot, size_t max)
{
	struct list *sessions = &br->users->sessions[slot];

	for (size_t n = 0; n < max && !list_is_empty(sessions);) {
		struct session *s =
		    LIST_ITEM(sessions->next, struct session, in_slot);

		n += DROP_COUNTS + s->nwatches;
		session_end(br, s);
	}
	return !list_is_empty(sessions);
}

void
users_move(struct broker *br, unsigned from, unsigned to)
{
	struct list *all = br->users->sessions, *e, *next;

	LIST_FOREACH_SAFE(e, next, &all[from]) {
		struct session *s = LIST_ITEM(e, struct session, in_slot);

		list_remove(e);
		list_append(&all[to], e);
		registry_leave(br->registry, s->user->channel, from);
		registry_enter(br->registry, s->user->channel, to);
		s->slot = to;
	}
}

bool
users_drop_dying(struct broker *br)
{
	uint64_t mask = br->registry->dying;

	for (; mask != 0; mask &= mask - 1)
		if (drop(br, (unsigned)__builtin_ctzll(mask), DROPS_AT_ONCE))
			return true;
	return false;
}

bool
users_free_some(struct broker *br)
{
	return watchlist_free_some(br);
}

void
users_init(struct broker *br)
{
	list_init(&br->users->ended);
	list_init(&br->users->leaving);
	list_init(&br->users->telling);
	ev_init(&br->users->offline, on_offline_timer);
	br->users->offline.data = br;
	for (size_t i = 0; i < nitems(br->users->sessions); i++)
		list_init(&br->users->sessions[i]);
}

void
users_clear(struct broker *br)
{
	for (unsigned i = 0; i < br->nslots; i++)
		drop(br, i, SIZE_MAX);
	while (users_free_some(br))
		;
	while (!list_is_empty(&br->users->leaving)) {
		struct user *u =
		    LIST_ITEM(br->users->leaving.next, struct user, leaving);

		list_remove(&u->leaving);
		user_release(br, u);
	}
	hash_clear(&br->users->by_id);
	hash_clear(&br->users->by_sid);
}
