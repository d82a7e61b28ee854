/* SPDX-License-Identifier: MIT */
/*
 * kept.c: what this worker has told the broker and the broker has not
 * acknowledged.  Owns the messages, by reference to the bytes that were sent,
 * and the subscriptions and sign-ins that have ended meanwhile: a new broker
 * has to enter them before it reads that they end, so that exactly one
 * member_removed comes of it.
 *
 * What the old broker has answered is marked in the copy that is sent again,
 * so that no client is answered twice.
 */

#include "worker/link/kept.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>

#include "shared/app/app.h"
#include "shared/base/xmalloc.h"
#include "worker/channel/subscription.h"
#include "worker/channel/topic.h"
#include "worker/client/client.h"
#include "worker/conn/conn.h"
#include "worker/worker.h"

#define ARENA_BYTES (64u << 10)
#define EVENT (UINT32_C(1) << 31) /* in kept_len: it is one */
#define OFFLINE_SECONDS 3.        /* that the broker waits before "offline" */

struct ended {
	struct hash_node node; /* in link.ended_refs: subscriptions */
	struct ended *next;
	uint64_t seq; /* of UNSUB or SIGNOUT */
	uint64_t sid;
	struct subscription *s; /* NULL: a user */
	struct member *user;
	uint32_t app;
	double at; /* user: when */
};

/* ---- numbering ---- */

/* Remembers that the next kept message is n bytes long, and perhaps EVENT. */
static void
keep_length(struct link *l, uint32_t n)
{
	uint32_t count = (uint32_t)(l->seq - l->acked - 1);

	if (count == l->kept_cap) {
		uint32_t cap = MAX(64u, l->kept_cap * 2);
		uint32_t *v = xcalloc(cap, sizeof(*v));

		for (uint32_t i = 0; i < count; i++)
			v[i] =
			    l->kept_len[(l->kept_head + i) & (l->kept_cap - 1)];
		free(l->kept_len);
		l->kept_len = v;
		l->kept_head = 0;
		l->kept_cap = cap;
	}
	l->kept_len[(l->kept_head + count) & (l->kept_cap - 1)] = n;
}

/* Room for the message with the number that is next; kind: EVENT or 0. */
static char *
reserve(struct worker *w, size_t size, uint32_t kind)
{
	struct link *l = &w->link;
	uint32_t n = (uint32_t)size, off;

	l->seq++;
	if (l->arena != NULL && l->arena->refs == 1)
		l->arena->len = 0;
	if (l->arena == NULL || buf_room(l->arena) < n) {
		buf_unref(l->arena);
		l->arena = buf_new(MAX(n, ARENA_BYTES));
	}
	off = l->arena->len;
	l->arena->len += n;
	keep_length(l, n | kind);
	outq_push(&l->kept, l->arena, off, n);
	if (link_is_open(w))
		ipc_queue(&l->ipc, l->arena, off, n);
	return l->arena->data + off;
}

#define SEND(name) \
	void kept_send_##name(struct worker *w, struct msg_##name *m) \
	{ \
		m->seq = w->link.seq + 1; \
		msg_##name##_put(reserve(w, msg_##name##_size(m), 0), m); \
	}
SEND(sub)
SEND(unsub)
SEND(signin)
SEND(signout)
SEND(terminate)
#undef SEND

void
kept_send_event(struct worker *w, struct msg_event *m)
{
	size_t n;

	m->origin = w->link.origin;
	m->seq = w->link.seq + 1;
	n = msg_event_size(m);
	w->link.events += n;
	msg_event_put(reserve(w, n, EVENT), m);
}

/* ---- what has ended ---- */

static struct ended *
append(struct worker *w, uint64_t sid)
{
	struct link *l = &w->link;
	struct ended *e = xcalloc(1, sizeof(*e));

	e->seq = l->seq;
	e->sid = sid;
	if (l->ended == NULL)
		l->ended_end = &l->ended;
	*l->ended_end = e;
	l->ended_end = &e->next;
	return e;
}

void
kept_end_subscription(struct worker *w, struct subscription *s, uint64_t sid)
{
	struct ended *e = append(w, sid);

	e->s = s;
	hash_insert(&w->link.ended_refs, &e->node, hash_u64(s->ref));
}

void
kept_end_user(struct worker *w, uint32_t app, uint64_t sid, struct member *user)
{
	struct ended *e = append(w, sid);

	e->user = user;
	e->app = app;
	e->at = worker_now();
}

static void
forget_first(struct worker *w)
{
	struct link *l = &w->link;
	struct ended *e = l->ended;

	l->ended = e->next;
	if (e->s != NULL) {
		hash_remove(&l->ended_refs, &e->node);
		topic_unref(w, e->s->t);
		free(e->s->member);
		free(e->s);
	}
	free(e->user);
	free(e);
}

/* A user is "offline" some time later: a new broker has to know until then. */
static bool
is_needed(const struct worker *w, const struct ended *e)
{
	double age = worker_now() - e->at;

	return e->seq > w->link.acked ||
	    (e->user != NULL && age >= 0 && age < OFFLINE_SECONDS);
}

static void
forget(struct worker *w)
{
	while (w->link.ended != NULL && !is_needed(w, w->link.ended))
		forget_first(w);
}

void
kept_tick(struct worker *w)
{
	forget(w);
}

void
kept_free(struct worker *w)
{
	struct link *l = &w->link;

	while (l->ended != NULL)
		forget_first(w);
	hash_clear(&l->ended_refs);
	outq_clear(&l->kept);
	free(l->kept_len);
	buf_unref(l->arena);
	l->kept_len = NULL;
	l->arena = NULL;
}

bool
kept_is_empty(const struct worker *w)
{
	return w->link.acked == w->link.seq;
}

unsigned
kept_events(const struct worker *w)
{
	const struct link *l = &w->link;
	uint32_t count = (uint32_t)(l->seq - l->acked);
	unsigned n = 0;

	for (uint32_t i = 0; i < count; i++)
		if (l->kept_len[(l->kept_head + i) & (l->kept_cap - 1)] & EVENT)
			n++;
	return n;
}

int
kept_on_ack(struct worker *w, const struct msg_ack *m)
{
	struct link *l = &w->link;
	size_t bytes = 0;
	uint32_t n;

	if (m->taken > l->seq || m->seq > m->taken)
		return -1;
	while (l->acked < m->seq) {
		n = l->kept_len[l->kept_head];
		if (n & EVENT)
			l->events -= n & ~EVENT;
		bytes += n & ~EVENT;
		l->kept_head = (l->kept_head + 1) & (l->kept_cap - 1);
		l->acked++;
	}
	outq_consume(&l->kept, bytes);
	forget(w);
	l->taken = MAX(l->taken, m->taken);
	conn_release_held(w);
	return 0;
}

/* ---- a new broker ---- */

static void
replay_user(struct worker *w, const struct ended *e)
{
	struct msg_signin in = { .app = e->app,
		.sid = e->sid,
		.replay = 1,
		.user_id = e->user->id,
		.watchlist = e->user->watchlist };
	struct msg_signout out = {
		.app = e->app, .sid = e->sid, .user_id = e->user->id
	};

	ipc_send_signin(&w->link.ipc, &in);
	if (e->seq <= w->link.acked) /* else it follows */
		ipc_send_signout(&w->link.ipc, &out);
}

void
kept_replay(struct worker *w)
{
	struct ended *e;

	forget(w);
	for (e = w->link.ended; e != NULL; e = e->next) {
		if (e->s == NULL)
			replay_user(w, e);
		else if (e->s->stamp != 0 && e->s->stamp != SUB_VOID &&
		    e->seq > w->link.acked)
			subscription_replay(w, e->s, e->sid);
	}
}

static bool
has_ref(const struct hash_node *n, const void *key)
{
	const uint32_t *ref = key;

	return container_of(n, const struct ended, node)->s->ref == *ref;
}

/* The stamp with which SUB is sent again. */
static uint64_t
stamp_of(struct worker *w, const struct msg_sub *m)
{
	struct conn *c = conn_find(w, m->sid);
	const struct subscription *s;
	struct hash_node *n;

	if (c != NULL && (s = subscription_by_ref(c, m->ref)) != NULL)
		return s->stamp;
	n = hash_find(&w->link.ended_refs, hash_u64(m->ref), has_ref, &m->ref);
	if (n != NULL)
		return container_of(n, struct ended, node)->s->stamp;
	return SUB_VOID; /* it was refused */
}

void
kept_on_late_answer(struct worker *w, const struct msg_sub_done *m)
{
	struct hash_node *n =
	    hash_find(&w->link.ended_refs, hash_u64(m->ref), has_ref, &m->ref);

	if (n != NULL)
		container_of(n, struct ended, node)->s->stamp =
		    m->status == 0 ? m->stamp : SUB_VOID;
}

/* Notes in a kept message, in place, what has become of it. */
static void
mark(struct worker *w, char *p, uint32_t n)
{
	struct str body = str_make(p + IPC_HEAD, n - IPC_HEAD);
	struct msg_signin in;
	struct msg_sub sub;
	struct conn *c;
	uint32_t type;

	memcpy(&type, p + 4, sizeof(type));
	if (type == IPC_SUB && msg_sub_get(&sub, body) == 0) {
		sub.stamp = stamp_of(w, &sub);
		/* Fields of fixed size stay where they are. */
		memcpy(p + IPC_HEAD + 8 + 4 + 8 + 4, &sub.stamp, 8);
		c = conn_find(w, sub.sid);
		if (c != NULL && sub.stamp == 0)
			flow_asked(c, 1);
	} else if (type == IPC_SIGNIN && msg_signin_get(&in, body) == 0) {
		c = conn_find(w, in.sid);
		if (c != NULL && client_signin_is_answered(c, in.seq))
			p[IPC_HEAD + 8 + 4 + 8] = 1; /* replay */
		else if (c != NULL)
			flow_asked(c, FLOW_SIGNIN);
	}
}

void
kept_resend(struct worker *w)
{
	struct link *l = &w->link;
	uint32_t i = 0, used = 0, n;

	for (uint64_t seq = l->acked + 1; seq <= l->seq; seq++) {
		const struct slice *s = outq_at(&l->kept, i);

		n = l->kept_len[(l->kept_head +
				    (uint32_t)(seq - l->acked - 1)) &
			(l->kept_cap - 1)] &
		    ~EVENT;
		assert(used + n <= s->len);
		mark(w, s->b->data + s->off + used, n);
		ipc_queue(&l->ipc, s->b, s->off + used, n);
		used += n;
		if (used == s->len) {
			used = 0;
			i++;
		}
	}
}
