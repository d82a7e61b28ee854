/* SPDX-License-Identifier: MIT */
/*
 * subscription.c: a connection's way into a channel and out of it.  Owns the
 * struct subscription and its member.  Everything a client may do wrong has
 * been refused before; here it is only asked, confirmed and ended, and the
 * broker hears of each step in order.
 *
 * The subscription to #server-to-user-<id> (s->user) is made by the sign-in:
 * the broker knows it from SIGNIN, so SUB and UNSUB are never sent for it.
 */

#include "worker/subscription.h"

#include "shared/app.h"
#include "shared/xmalloc.h"
#include "worker/client.h"
#include "worker/conn.h"
#include "worker/topic.h"
#include "worker/worker.h"

/* Copies s to *p and moves *p behind it. */
static struct str
place(char **p, struct str s)
{
	struct str r = { *p, s.n };

	if (s.n != 0)
		memcpy(*p, s.p, s.n);
	*p += s.n;
	return r;
}

struct member *
member_new(struct str id, struct str info, struct str watch)
{
	struct member *m = xmalloc(sizeof(*m) + id.n + info.n + watch.n);
	char *p = m->bytes;

	m->id = place(&p, id);
	m->info = place(&p, info);
	m->watchlist = place(&p, watch);
	return m;
}

struct subscription *
subscription_find(struct conn *c, struct str channel)
{
	struct topic *t;
	struct list *e;

	if (list_is_empty(&c->subs) ||
	    (t = topic_find(c->w, c->app->num, channel)) == NULL)
		return NULL;
	LIST_FOREACH(e, &c->subs) {
		struct subscription *s =
		    LIST_ITEM(e, struct subscription, in_conn);

		if (s->t == t)
			return s;
	}
	return NULL;
}

void
subscription_send(struct subscription *s)
{
	struct msg_sub m = { .app = s->t->app,
		.sid = conn_sid(s->c),
		.ref = s->ref,
		.stamp = s->stamp,
		.channel = topic_name(s->t) };

	if (s->user || !link_is_open(s->c->w))
		return; /* the replay will say it */
	if (s->member != NULL) {
		m.user_id = s->member->id;
		m.user_info = s->member->info;
	}
	ipc_send_sub(&s->c->w->link.ipc, &m);
}

void
subscription_request(struct conn *c, struct str channel, struct member *member)
{
	struct subscription *s = xcalloc(1, sizeof(*s));

	s->c = c;
	s->t = topic_get(c->w, c->app->num, channel);
	s->member = member;
	s->ref = ++c->w->next_ref;
	list_append(&c->subs, &s->in_conn);
	c->nsubs++;
	subscription_send(s);
}

void
subscription_again(struct subscription *s)
{
	struct msg_sub_again m = { .app = s->t->app,
		.sid = conn_sid(s->c),
		.ref = s->ref,
		.stamp = s->stamp,
		.channel = topic_name(s->t) };

	/* Before the first answer the confirmation is on its way anyway. */
	if (s->on && link_is_open(s->c->w))
		ipc_send_sub_again(&s->c->w->link.ipc, &m);
}

/* Takes it out of everything here, without a word to the broker. */
static void
drop(struct subscription *s)
{
	struct conn *c = s->c;

	if (s->on)
		topic_remove(s->t, s);
	topic_unref(c->w, s->t);
	list_remove(&s->in_conn);
	if (!s->user)
		c->nsubs--;
	free(s->member);
	free(s);
}

void
subscription_end(struct subscription *s)
{
	struct msg_unsub m = { .app = s->t->app,
		.sid = conn_sid(s->c),
		.channel = topic_name(s->t) };

	if (s->member != NULL)
		m.user_id = s->member->id;
	if (!s->user && link_is_open(s->c->w))
		ipc_send_unsub(&s->c->w->link.ipc, &m);
	drop(s);
}

void
subscription_end_all(struct conn *c)
{
	while (!list_is_empty(&c->subs))
		subscription_end(
		    LIST_ITEM(c->subs.next, struct subscription, in_conn));
}

int
subscription_on_done(struct worker *w, const struct msg_sub_done *m)
{
	struct conn *c = conn_find(w, m->sid);
	struct subscription *s = NULL;
	struct list *e;

	if (c == NULL)
		return 0; /* left while we waited; UNSUB said so */
	LIST_FOREACH(e, &c->subs) {
		s = LIST_ITEM(e, struct subscription, in_conn);
		if (s->ref == m->ref)
			break;
		s = NULL;
	}
	if (s == NULL)
		return 0; /* unsubscribed meanwhile */
	conn_queue_bytes(c, m->frames);
	if (m->status != 0) {
		drop(s);
		return 0;
	}
	s->stamp = m->stamp;
	if (!s->on) {
		s->on = true;
		topic_add(s->t, s);
		client_on_subscribed(c, topic_name(s->t));
	}
	return 0;
}
