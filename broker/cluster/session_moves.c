/* SPDX-License-Identifier: MIT */
/*
 * session_moves.c: a client with a session comes back to another host.  SESSION
 * stands in the stream, so all hosts learn at one place who has the session
 * from there on.  The host that had it answers with how far the client has come
 * in each channel, which are numbers that mean the same on all hosts; then
 * each host says that it has answered.  If none has given the session, what
 * stands in Redis counts (session_store.c): its host has died, or does not
 * answer, and then it learns from the stream that the session is elsewhere.
 * Until then the client is not greeted.
 *
 * Connections on two hosts may name one session at once.  The later one in the
 * stream has it, and its host takes what was meant for the other one.
 *
 * A host that leaves gives its sessions to the one that joined before all
 * others.
 *
 * Must never let two hosts have a session: what one has given it forgets, at
 * the place of the stream where the other one got the connection.
 */

#include "broker/cluster/session_moves.h"

#include <stdlib.h>
#include <string.h>

#include "broker/app/apps.h"
#include "broker/channel/named_session.h"
#include "broker/cluster/inside.h"
#include "broker/cluster/outgoing.h"
#include "broker/cluster/session_record.h"
#include "broker/cluster/session_store.h"
#include "broker/core/core.h"
#include "broker/link/peer.h"
#include "broker/log/replay.h"
#include "shared/base/base.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"

#define WAIT_SECONDS 1. /* for the answers of the other hosts */
#define LOOK_SECONDS 0.1
#define SMALL_BYTES 1024 /* of channels, as in an event: always given */

/* A connection of this host whose session another host may have. */
struct waiter {
	struct hash_node by_id, by_sid;
	struct list link; /* in session_moves.waiting, the oldest first */
	uint64_t origin, sid;
	uint64_t entry; /* number of the one with SESSION */
	uint64_t asked; /* session_moves.asked then */
	double since;   /* broker_now() */
	uint32_t app, peer;
	int slot;           /* -1: the connection has ended */
	bool looked;        /* Redis has answered, ... */
	struct buf *stored; /* ... with HOST_SESSION; or NULL */
	size_t id_len;
	char id[];
};

static struct str
id_of(const struct waiter *w)
{
	return str_make(w->id, w->id_len);
}

/* ---- connections that wait ---- */

struct id_key {
	uint32_t app;
	struct str id;
};

static bool
id_eq(const struct hash_node *n, const void *key)
{
	const struct waiter *w = container_of(n, const struct waiter, by_id);
	const struct id_key *k = key;

	return w->app == k->app && str_eq(id_of(w), k->id);
}

static struct waiter *
find_id(const struct cluster *cl, uint32_t app, struct str id)
{
	struct id_key key = { app, id };
	struct hash_node *n =
	    hash_find(&cl->moves.by_id, hash_str(id, app), id_eq, &key);

	return n == NULL ? NULL : container_of(n, struct waiter, by_id);
}

static struct waiter *
find_sid(const struct cluster *cl, uint64_t sid)
{
	struct hash_node *n = hash_find_u64(&cl->moves.by_sid, sid);

	return n == NULL ? NULL : container_of(n, struct waiter, by_sid);
}

static void
forget(struct cluster *cl, struct waiter *w)
{
	hash_remove(&cl->moves.by_id, &w->by_id);
	hash_remove(&cl->moves.by_sid, &w->by_sid);
	list_remove(&w->link);
	buf_unref(w->stored);
	free(w);
}

static void
add_waiter(
    struct cluster *cl, const struct peer *p, const struct msg_session *m)
{
	struct waiter *w = xcalloc(1, sizeof(*w) + m->id.n);

	w->app = m->app;
	w->peer = m->peer;
	w->sid = m->sid;
	w->slot = p->slot;
	w->origin = p->origin;
	w->entry = cl->at.n;
	w->asked = cl->moves.asked;
	w->since = broker_now();
	w->id_len = m->id.n;
	memcpy(w->id, m->id.p, m->id.n);
	list_init(&w->link);
	list_append(&cl->moves.waiting, &w->link);
	hash_insert(&cl->moves.by_id, &w->by_id, hash_str(m->id, m->app));
	hash_insert(&cl->moves.by_sid, &w->by_sid, hash_u64(m->sid));
	if (!ev_is_active(&cl->moves.timer))
		ev_timer_start(cl->br->loop, &cl->moves.timer);
	session_store_ask(cl, m->sid, m->app, m->id);
}

/*
 * Takes what a dead host has stored, unless another one has given it.  The
 * client may have subscribed more since, so other channels continue from what
 * it had confirmed, as after the death of a worker.
 */
static bool
take_stored(struct cluster *cl, const struct waiter *w)
{
	struct msg_host_session m;

	if (w->stored == NULL ||
	    msg_host_session_get(&m, buf_str(w->stored)) == -1 ||
	    !str_eq(m.id, id_of(w)))
		return false;
	if (!m.has_rest) {
		m.has_rest = 1;
		m.rest = m.acked;
	}
	return session_record_take(cl->br->replay, &m, w->app, w->peer);
}

/*
 * The connection gets the session as it is here now.  known: no host has more
 * of it; else, if there is none here, the client is told of a gap.
 */
static void
begin(struct cluster *cl, struct waiter *w, bool known)
{
	struct msg_session m = {
		.app = w->app, .peer = w->peer, .sid = w->sid, .id = id_of(w)
	};
	struct resume_hello h = { .app = w->app, .id = id_of(w) };
	struct peer *p = w->slot == -1 ? NULL : cl->br->peers[w->slot];

	if (!take_stored(cl, w) && !known)
		resumes_elsewhere(&cl->br->replay->sessions, &h);
	if (p != NULL && p->origin == w->origin)
		named_session_on_begin(p, &m);
	forget(cl, w);
}

/* Another connection has named the session meanwhile. */
static void
supersede(struct cluster *cl, const struct msg_session *m)
{
	struct waiter *w = find_id(cl, m->app, m->id);

	if (w == NULL)
		return;
	if (w->slot != -1 && w->sid != m->sid)
		named_session_taken(cl->br, (unsigned)w->slot, w->sid);
	forget(cl, w);
}

/*
 * Have all hosts answered that were there?  This one, too: it may have given
 * the session to another one before, which has lost it to this connection.
 */
static bool
is_answered(const struct cluster *cl, const struct waiter *w)
{
	const struct list *e;

	if (cl->moves.heard < w->asked)
		return false;
	LIST_FOREACH(e, &cl->hosts.all) {
		const struct host *h = LIST_ITEM(e, const struct host, link);

		if (h->answered < w->entry && h->joined < w->entry)
			return false;
	}
	return true;
}

void
session_moves_check(struct cluster *cl)
{
	double now = broker_now();
	struct list *e, *next;

	LIST_FOREACH_SAFE(e, next, &cl->moves.waiting) {
		struct waiter *w = LIST_ITEM(e, struct waiter, link);

		bool known = is_answered(cl, w);

		if (!(known && w->looked) && now - w->since < WAIT_SECONDS)
			break; /* nor are those of later entries */
		begin(cl, w, known);
	}
	if (list_is_empty(&cl->moves.waiting))
		ev_timer_stop(cl->br->loop, &cl->moves.timer);
}

static void
on_timer(struct ev_loop *loop, ev_timer *t, int revents)
{
	session_moves_check(t->data);
}

void
session_moves_hurry(struct cluster *cl, uint64_t sid)
{
	struct waiter *w = find_sid(cl, sid);

	if (w != NULL)
		begin(cl, w, false);
}

void
session_moves_end(struct cluster *cl, uint64_t sid)
{
	struct waiter *w = cl == NULL ? NULL : find_sid(cl, sid);

	if (w != NULL)
		w->slot = -1; /* what it is given stays for the next one */
}

/* ---- from here to another host ---- */

/* entry: of the SESSION that this answers; 0: this host leaves. */
static void
give(struct cluster *cl, struct resume_session *s, const struct host *to,
    uint64_t entry)
{
	struct resumes *all = &cl->br->replay->sessions;
	const struct broker_app *a =
	    apps_find(cl->br, resumes_row(all, s)->app);
	size_t before = outgoing_entry_size(cl);
	struct session_record rec;

	if (a == NULL)
		return;
	resumes_part(all, s, broker_now());
	session_record_get(&rec, all, s);
	if (entry != 0 && rec.m.channels.n > SMALL_BYTES &&
	    !session_store_has_room(cl, a->app.num, rec.m.channels.n))
		session_record_shorten(&rec);
	rec.m.entry = entry;
	rec.m.host = str_of(to->name);
	entry_app(&cl->entry, a->app.num, str_of(a->app.id));
	entry_put_host_session(&cl->entry, &rec.m);
	outgoing_added(cl, before);
	buf_unref(rec.channels);
}

void
session_moves_on_other(
    struct cluster *cl, const struct host *host, const struct msg_session *m)
{
	const struct app_log *l = app_logs_find(&cl->br->replay->logs, m->app);
	struct resumes *all = &cl->br->replay->sessions;
	struct resume_hello h = { .app = m->app, .id = m->id };
	struct resume_session *s;
	const struct session_row *row;

	if (l == NULL || !session_id_is_valid(m->id))
		return;
	if (host != NULL)
		cl->moves.asked = cl->at.n;
	supersede(cl, m);
	s = resumes_find(all, m->app, m->id);
	row = s == NULL ? NULL : resumes_row(all, s);
	if (s != NULL && s->attached)
		named_session_taken(cl->br, row->slot, row->sid);
	if (s != NULL && host != NULL)
		give(cl, s, host, cl->at.n);
	h.epoch = ring_epoch(l->ring);
	resumes_elsewhere(all, &h);
}

void
session_moves_turn(struct cluster *cl)
{
	struct msg_host_sessions_done m = { .entry = cl->moves.asked };
	size_t before = outgoing_entry_size(cl);

	if (cl->state != CLUSTER_LIVE || cl->moves.answered == m.entry)
		return;
	cl->moves.answered = m.entry;
	entry_put_host_sessions_done(&cl->entry, &m);
	outgoing_added(cl, before);
}

void
session_moves_leave(struct cluster *cl)
{
	struct resumes *all = &cl->br->replay->sessions;
	const struct host *receiver = NULL;
	struct resume_session *s;
	struct list *e;
	uint32_t i = 0;

	LIST_FOREACH(e, &cl->hosts.all) {
		const struct host *h = LIST_ITEM(e, const struct host, link);

		if (receiver == NULL || h->joined < receiver->joined)
			receiver = h;
	}
	while (receiver != NULL && (s = resumes_next(all, &i)) != NULL) {
		give(cl, s, receiver, 0);
		resumes_give_up(all, s);
	}
}

/* ---- from another host to this one ---- */

void
session_moves_on_given(struct cluster *cl, const struct msg_host_session *m)
{
	struct waiter *w = find_id(cl, m->app, m->id);
	bool own = str_eq(m->host, str_of(cl->br->conf->cluster_host)), taken;

	if (w == NULL ? m->entry != 0 || !own : m->entry > w->entry)
		return;
	taken = session_record_take(cl->br->replay, m, m->app,
	    w == NULL ? (uint32_t)hash_str(m->id, 0) : w->peer);
	if (w != NULL && taken)
		begin(cl, w, true);
}

void
session_moves_on_stored(struct cluster *cl, const redisReply *r)
{
	struct waiter *w = find_sid(cl, strtoull(reply_text(r, 0), NULL, 10));
	const redisReply *text = r->elements == 2 ? r->element[1] : NULL;

	if (w == NULL || w->looked || text == NULL)
		return;
	w->looked = true;
	if (text->type == REDIS_REPLY_STRING && text->len > 0)
		w->stored = buf_from(str_make(text->str, text->len));
	session_moves_check(cl);
}

void
session_moves_on_done(struct cluster *cl, struct host *host,
    const struct msg_host_sessions_done *m)
{
	if (host == NULL)
		cl->moves.heard = m->entry;
	else
		host->answered = m->entry;
	session_moves_check(cl);
}

int
session_moves_on_own(struct peer *p, const struct msg_session *m)
{
	struct cluster *cl = p->br->cluster;
	const struct replay *x = p->br->replay;

	if (!session_id_is_valid(m->id))
		return -1;
	supersede(cl, m);
	if (app_logs_find(&x->logs, m->app) == NULL ||
	    x->sessions.table == NULL ||
	    resumes_find(&x->sessions, m->app, m->id) != NULL)
		return named_session_on_begin(p, m);
	add_waiter(cl, p, m);
	return 0;
}

/* ---- life ---- */

void
session_moves_init(struct cluster *cl)
{
	list_init(&cl->moves.waiting);
	ev_timer_init(&cl->moves.timer, on_timer, LOOK_SECONDS, LOOK_SECONDS);
	cl->moves.timer.data = cl;
}

void
session_moves_clear(struct cluster *cl)
{
	ev_timer_stop(cl->br->loop, &cl->moves.timer);
	while (!list_is_empty(&cl->moves.waiting))
		forget(
		    cl, LIST_ITEM(cl->moves.waiting.next, struct waiter, link));
	hash_clear(&cl->moves.by_id);
	hash_clear(&cl->moves.by_sid);
}
