/* SPDX-License-Identifier: MIT */
/*
 * subscription.c: subscribes connections to channels and ends subscriptions.
 * Owns struct subscription and its member.  Errors of clients have been refused
 * before; this file asks the broker, applies its answer, and sends it each step
 * in order.  The subscription to #server-to-user-<id> (s->user) is made by the
 * sign-in: the broker knows it from SIGNIN, so SUB and UNSUB are never sent for
 * it.
 */

#include "worker/channel/subscription.h"

#include "shared/app/app.h"
#include "shared/base/xmalloc.h"
#include "shared/pusher/frames.h"
#include "worker/app/apps.h"
#include "worker/app/stats.h"
#include "worker/channel/roster.h"
#include "worker/channel/topic.h"
#include "worker/conn/compression.h"
#include "worker/conn/conn.h"
#include "worker/conn/input.h"
#include "worker/core/core.h"
#include "worker/link/link.h"
#include "worker/link/unacked.h"
#include "worker/session/session.h"

#define SEARCH 100 /* subscriptions that are looked at cost 1 */

/*
 * A subscription that has ended and that a new broker may need to know.  It has
 * left its connection and its topic's entries.
 */
struct ended {
	struct tombstone tombstone;
	struct hash_node node; /* in subscriptions.ended, by ref */
	struct subscription *s;
	uint64_t sid;
};

/* Copies s to *p and moves *p past it. */
static struct str
place(char **p, struct str s)
{
	struct str r = { *p, s.n };

	if (s.n != 0)
		memcpy(*p, s.p, s.n);
	*p += s.n;
	return r;
}

struct client_member *
member_new(struct str id, struct str info, struct str watch, uint16_t nwatch)
{
	size_t bits = (nwatch + 7u) / 8;
	struct client_member *m =
	    xcalloc(1, sizeof(*m) + id.n + info.n + watch.n + bits);
	char *p = m->bytes;

	m->nwatch = nwatch;
	m->id = place(&p, id);
	m->info = place(&p, info);
	m->watchlist = place(&p, watch);
	return m;
}

char *
member_online(struct client_member *m)
{
	return m->bytes + m->id.n + m->info.n + m->watchlist.n;
}

struct subscription *
subscription_find(struct conn *c, struct str channel)
{
	size_t looked = 0;
	struct topic *t;
	struct list *e;

	if (list_is_empty(&c->subs) ||
	    (t = topic_find(c->w, c->app->num, channel)) == NULL)
		return NULL;
	LIST_FOREACH(e, &c->subs) {
		struct subscription *s = SUBSCRIPTION_OF(e);

		looked++;
		if (s->t != t)
			continue;
		input_charge(c, looked / SEARCH);
		return s;
	}
	input_charge(c, looked / SEARCH);
	return NULL;
}

static struct msg_sub
message(const struct subscription *s, uint64_t sid)
{
	struct msg_sub m = { .app = s->t->app,
		.sid = sid,
		.ref = s->ref,
		.stamp = s->stamp,
		.pos = s->pos,
		.back = s->back,
		.channel = topic_name(s->t) };

	if (s->member != NULL) {
		m.user_id = s->member->id;
		m.user_info = s->member->info;
	}
	return m;
}

static void
replay(struct worker *w, const struct subscription *s, uint64_t sid)
{
	struct msg_sub m = message(s, sid);

	link_send_sub(w, &m);
}

void
subscription_replay(struct conn *c)
{
	struct list *e;

	LIST_FOREACH(e, &c->subs) {
		const struct subscription *s = SUBSCRIPTION_OF(e);

		if (s->on && !s->user)
			replay(c->w, s, conn_sid(c));
	}
}

static struct subscription *
by_ref(struct conn *c, uint32_t ref)
{
	struct list *e;

	LIST_FOREACH(e, &c->subs) {
		struct subscription *s = SUBSCRIPTION_OF(e);

		if (s->ref == ref)
			return s;
	}
	return NULL;
}

struct subscription *
subscription_new(struct conn *c, struct str channel)
{
	struct subscription *s = xcalloc(1, sizeof(*s));

	s->magic = MAGIC_SUBSCRIPTION;
	s->c = c;
	s->t = topic_get(c->w, c->app->num, channel);
	s->ref = ++c->w->next_ref;
	list_append(&c->subs, &s->in_conn);
	return s;
}

/* The list of members in the answer. */
static size_t
answer_cost(const struct subscription *s)
{
	return roster_bytes(s->t->roster) / COST_ANSWER;
}

/* The answer, and what the others are told now and when it leaves. */
static size_t
cost(const struct subscription *s)
{
	size_t n = answer_cost(s);

	if (s->member != NULL && !roster_has(s->t->roster, s->member->id))
		n += topic_event_cost(s->t, s->member->info.n) +
		    topic_event_cost(s->t, 0);
	return n;
}

void
subscription_request(
    struct conn *c, struct str channel, struct client_member *member)
{
	struct subscription *s = subscription_new(c, channel);
	struct msg_sub m;

	s->member = member;
	c->nsubs++;
	m = message(s, conn_sid(c));
	unacked_send_sub(c->w, &m);
	input_asked(c, 1, cost(s));
}

static void
send_again(const struct subscription *s)
{
	struct msg_sub_again m = { .app = s->t->app,
		.sid = conn_sid(s->c),
		.ref = s->ref,
		.stamp = s->stamp,
		.channel = topic_name(s->t) };

	link_send_sub_again(s->c->w, &m);
}

void
subscription_again(struct subscription *s)
{
	if (s->again == SUBSCRIPTION_AGAIN_MAX)
		return;
	s->again++;
	input_asked(s->c, 1, answer_cost(s));
	if (s->on) /* otherwise after the first answer */
		send_again(s);
}

/* Sends the repeated requests that waited for the first answer. */
static void
ask_again(struct subscription *s)
{
	for (unsigned i = 0; i < s->again && s->on; i++)
		send_again(s);
}

void
subscription_ask_again(struct conn *c)
{
	struct list *e;

	LIST_FOREACH(e, &c->subs) {
		struct subscription *s = SUBSCRIPTION_OF(e);

		input_asked(c, s->again, 0);
		ask_again(s);
	}
}

static void
release(struct worker *w, struct subscription *s)
{
	topic_unref(w, s->t);
	free(s->member);
	magic_poison16(&s->magic);
	free(s);
}

/* Removes it from the connection and from the topic's entries. */
static void
detach(struct subscription *s)
{
	if (s->on)
		topic_remove(s->t, s->index);
	else /* these were never sent */
		input_answered(s->c, s->again);
	list_remove(&s->in_conn);
	if (!s->user)
		s->c->nsubs--;
}

/* Removes it completely and sends nothing to the broker. */
static void
drop(struct subscription *s)
{
	struct worker *w = s->c->w;

	detach(s);
	release(w, s);
}

/* ---- what has ended ---- */

static void
replay_ended(struct worker *w, const struct tombstone *tombstone)
{
	const struct ended *e =
	    container_of(tombstone, const struct ended, tombstone);

	subscription_living(e->s);
	if (e->s->stamp != 0 && e->s->stamp != SUB_VOID &&
	    !unacked_is_acked(w, tombstone->seq))
		replay(w, e->s, e->sid);
}

static void
free_ended(struct worker *w, struct tombstone *tombstone)
{
	struct ended *e = container_of(tombstone, struct ended, tombstone);

	hash_remove(&w->subscriptions->ended, &e->node);
	release(w, subscription_living(e->s));
	free(e);
}

static const struct tombstone_ops ended_ops = {
	.replay = replay_ended,
	.free = free_ended,
};

/* UNSUB has been sent for it. */
static void
entomb(struct worker *w, struct subscription *s, uint64_t sid)
{
	struct ended *e = xcalloc(1, sizeof(*e));

	e->s = s;
	e->sid = sid;
	hash_insert(&w->subscriptions->ended, &e->node, hash_u64(s->ref));
	unacked_end(w, &e->tombstone, &ended_ops);
}

/* An ended subscription; NULL: it was refused, or is long gone. */
static struct subscription *
find_ended(struct worker *w, uint32_t ref)
{
	struct hash_node *n = hash_find_u64(&w->subscriptions->ended, ref);

	return n == NULL
	    ? NULL
	    : subscription_living(container_of(n, struct ended, node)->s);
}

void
subscription_restamp(struct worker *w, char *p, size_t n)
{
	const struct subscription *s = NULL;
	struct conn *c;
	struct msg_sub m;

	if (msg_sub_get(&m, str_make(p + IPC_HEAD, n - IPC_HEAD)) == -1)
		return;
	if ((c = conn_find(w, m.sid)) != NULL)
		s = by_ref(c, m.ref);
	if (s == NULL)
		s = find_ended(w, m.ref);
	m.stamp = s == NULL ? SUB_VOID : s->stamp;
	buf_reserve(worker_scratch(w), n);
	msg_sub_put(w->scratch->data, &m);
	memcpy(p, w->scratch->data, n);
	if (c != NULL && m.stamp == 0)
		input_asked(c, 1, 0);
}

void
subscriptions_free(struct worker *w)
{
	hash_clear(&w->subscriptions->ended);
}

void
subscription_end(struct subscription *s)
{
	struct msg_unsub m = { .app = s->t->app,
		.sid = conn_sid(s->c),
		.broke = s->c->resume == CONN_RESUME_BROKE,
		.channel = topic_name(s->t) };
	struct worker *w = s->c->w;

	if (s->user) {
		drop(s);
		return;
	}
	if (s->member != NULL)
		m.user_id = s->member->id;
	unacked_send_unsub(w, &m);
	detach(s);
	s->c = NULL;
	entomb(w, s, m.sid);
}

void
subscription_end_all(struct conn *c)
{
	while (!list_is_empty(&c->subs))
		subscription_end(SUBSCRIPTION_OF(c->subs.next));
}

void
subscription_note(struct subscription *s, uint64_t pos, uint32_t back)
{
	struct conn *c = s->c;
	struct client_app *a = client_app_of(c->app);
	struct str why = { NULL, 0 };

	s->pos = pos;
	s->back = back;
	if (pos > a->log_pos)
		a->log_pos = pos;
	if (!c->session.named)
		return;
	if (pos != 0) {
		session_sent(c->w->sessions, &c->session, c, pos);
		if (c->session.full)
			why = S("full");
		else if (c->session.taken)
			why = S("taken");
		else
			return;
	}
	a->stats.resume_off++;
	frame_resume(worker_scratch(c->w), topic_name(s->t), "off", why, 0);
	conn_queue_scratch(c);
}

void
subscription_restart(struct list *e, uint64_t pos)
{
	struct subscription *s = SUBSCRIPTION_OF(e);

	s->pos = pos;
	s->back = 0;
}

int
subscription_on_done(
    struct worker *w, const struct msg_sub_done *m, struct str *admitted)
{
	struct conn *c = conn_find(w, m->sid);
	struct subscription *s;

	if (c != NULL)
		input_answered(c, 1);
	/* The connection may have closed, or unsubscribed, meanwhile. */
	if (c == NULL || (s = by_ref(c, m->ref)) == NULL) {
		if ((s = find_ended(w, m->ref)) != NULL)
			s->stamp = m->status == 0 ? m->stamp : SUB_VOID;
		return 0;
	}
	compression_queue_answer(c, topic_name(s->t), m->frames);
	if (m->status != 0) {
		drop(s);
		return 0;
	}
	s->stamp = m->stamp;
	if (s->on) {
		if (s->again > 0)
			s->again--;
		return 0;
	}
	s->on = true;
	stats_of(c->app)->subscribes++;
	topic_add(s->t, s->c, &s->index);
	subscription_note(s, m->pos, m->back);
	ask_again(s);
	*admitted = topic_name(s->t);
	return 0;
}
