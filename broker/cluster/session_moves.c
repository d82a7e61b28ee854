/* SPDX-License-Identifier: MIT */
/*
 * session_moves.c: a client with a session comes back to another host.  SESSION
 * stands in the stream, so all hosts learn at one place who has the session
 * from there on.  The host that had it answers with how far the client has come
 * in each channel, which are numbers that mean the same on all hosts; then
 * each host says that it has answered.  Until then the client is not greeted.
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
#include "broker/core/core.h"
#include "broker/link/peer.h"
#include "broker/log/replay.h"
#include "shared/base/base.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"

#define WAIT_SECONDS 1. /* for the answers of the other hosts */
#define LOOK_SECONDS 0.1

/* A connection of this host whose session another host may have. */
struct waiter {
	struct hash_node by_id, by_sid;
	struct list link; /* in session_moves.waiting, the oldest first */
	uint64_t origin, sid;
	uint64_t entry; /* number of the one with SESSION */
	double since;   /* broker_now() */
	uint32_t app, peer;
	int slot; /* -1: the connection has ended */
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
	w->since = broker_now();
	w->id_len = m->id.n;
	memcpy(w->id, m->id.p, m->id.n);
	list_init(&w->link);
	list_append(&cl->moves.waiting, &w->link);
	hash_insert(&cl->moves.by_id, &w->by_id, hash_str(m->id, m->app));
	hash_insert(&cl->moves.by_sid, &w->by_sid, hash_u64(m->sid));
	if (!ev_is_active(&cl->moves.timer))
		ev_timer_start(cl->br->loop, &cl->moves.timer);
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

	if (!known)
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

/* Have all hosts answered that were there? */
static bool
is_answered(const struct cluster *cl, const struct waiter *w)
{
	const struct list *e;

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

		if (!known && now - w->since < WAIT_SECONDS)
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

/* The channels, and up to where the client has each of them. */
static struct buf *
list_channels(const struct resume_session *s)
{
	struct buf *b = buf_new(s->channels.n * 2 * sizeof(uint64_t) + 1);
	const struct resume_channel *c;
	uint32_t i = 0;

	while ((c = resume_channels_next(&s->channels, &i)) != NULL) {
		uint64_t row[2] = { c->hash, resume_channel_from(c) };

		buf_append(&b, str_make((const char *)row, sizeof(row)));
	}
	return b;
}

/* entry: of the SESSION that this answers; 0: this host leaves. */
static void
give(struct cluster *cl, struct resume_session *s, const struct host *to,
    uint64_t entry)
{
	struct resumes *all = &cl->br->replay->sessions;
	const struct session_row *row = resumes_row(all, s);
	const struct broker_app *a = apps_find(cl->br, row->app);
	size_t before = outgoing_entry_size(cl);
	struct session_id id = session_row_id(all->table, row);
	struct msg_host_session m = { .app = row->app, .entry = entry };
	char text[SESSION_ID_MAX];
	uint64_t sids[SESSION_SIDS];
	struct buf *channels;

	if (a == NULL)
		return;
	resumes_part(all, s, broker_now());
	session_row_sids(all->table, row, sids);
	channels = list_channels(s);
	m.epoch = row->epoch;
	m.acked = row->acked;
	m.lost = s->lost;
	m.has_rest = s->channels.has_rest;
	m.rest = resume_channels_rest(&s->channels);
	m.host = str_of(to->name);
	m.id = session_id_text(&id, text);
	m.sids = str_make((const char *)sids, sizeof(sids));
	m.channels = buf_str(channels);
	entry_app(&cl->entry, a->app.num, str_of(a->app.id));
	entry_put_host_session(&cl->entry, &m);
	outgoing_added(cl, before);
	buf_unref(channels);
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

static bool
is_sound(const struct msg_host_session *m)
{
	return session_id_is_valid(m->id) && m->lost <= RESUME_UNCONFIRMED &&
	    m->sids.n == SESSION_SIDS * sizeof(uint64_t) &&
	    m->channels.n % (2 * sizeof(uint64_t)) == 0 &&
	    m->channels.n / (2 * sizeof(uint64_t)) <= RESUME_CHANNELS_MAX;
}

static void
take_channels(struct resume_session *s, const struct msg_host_session *m)
{
	uint64_t row[2];

	for (size_t at = 0; at < m->channels.n; at += sizeof(row)) {
		memcpy(row, m->channels.p + at, sizeof(row));
		resume_channel_set(
		    resume_channel_get(&s->channels, row[0]), row[1], row[1]);
	}
	if (m->has_rest)
		resume_channels_add_rest(&s->channels, m->rest);
}

/* The session is here from now on, without a connection. */
static void
take(struct cluster *cl, const struct msg_host_session *m, uint32_t peer)
{
	struct resumes *all = &cl->br->replay->sessions;
	const struct app_log *l = app_logs_find(&cl->br->replay->logs, m->app);
	struct resume_hello h = { .app = m->app, .peer = peer, .id = m->id };
	struct resume_session *s;
	struct session_row *row;
	uint64_t sids[SESSION_SIDS];

	if (l == NULL || all->table == NULL ||
	    resumes_find(all, m->app, m->id) != NULL ||
	    (s = resumes_bring(all, &h)) == NULL)
		return;
	row = resumes_row(all, s);
	memcpy(sids, m->sids.p, sizeof(sids));
	row->sid = sids[0];
	if (sids[1] != 0)
		memcpy(session_row_more(all->table, row)->sids, &sids[1],
		    sizeof(sids) - sizeof(sids[0]));
	take_channels(s, m);
	resumes_book(all, s);
	row->epoch = m->epoch;
	row->acked = m->acked;
	row->channels = s->channels.n;
	row->uncounted = s->channels.has_rest;
	s->lost = (uint8_t)m->lost;
}

void
session_moves_on_given(struct cluster *cl, const struct msg_host_session *m)
{
	struct waiter *w = find_id(cl, m->app, m->id);

	if (!str_eq(m->host, str_of(cl->br->conf->cluster_host)) ||
	    !is_sound(m) || (w == NULL && m->entry != 0))
		return;
	take(cl, m, w == NULL ? (uint32_t)hash_str(m->id, 0) : w->peer);
	if (w != NULL)
		begin(cl, w, true);
}

void
session_moves_on_done(struct cluster *cl, struct host *host,
    const struct msg_host_sessions_done *m)
{
	if (host == NULL)
		return;
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
	if (cl->hosts.n == 0 || app_logs_find(&x->logs, m->app) == NULL ||
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
