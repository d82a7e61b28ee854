/* SPDX-License-Identifier: MIT */
/*
 * roster.c: the members of each presence channel that has subscribers here, as
 * these have been told.  Owns struct roster, which belongs to a topic.
 *
 * It is what makes telling idempotent: a member_added of somebody who is in
 * it, or a member_removed of somebody who is not, is dropped.  And it is where
 * the knowledge survives when the broker and another worker die together: the
 * next broker learns from it whose end the clients here still wait for.
 *
 * It costs a copy of id and info of each member in each worker with
 * subscribers.  Must never decide who is a member.
 */

#include "worker/channel/roster.h"

#include <stdlib.h>

#include "shared/base/hash.h"
#include "shared/base/xmalloc.h"
#include "shared/pusher/frames.h"
#include "worker/channel/topic.h"
#include "worker/core/core.h"
#include "worker/link/link.h"

struct entry {
	struct hash_node node;
	uint64_t stamp;
	uint32_t id_len, info_len;
	char bytes[]; /* id, info */
};

struct roster {
	struct hash entries;
};

static bool
entry_eq(const struct hash_node *n, const void *key)
{
	const struct entry *e = container_of(n, const struct entry, node);

	return str_eq(str_make(e->bytes, e->id_len), *(const struct str *)key);
}

static struct hash_node *
find(const struct roster *r, struct str id)
{
	return hash_find(&r->entries, hash_str(id, 0), entry_eq, &id);
}

static void
clear(struct roster *r)
{
	struct hash_node *n, *next;

	for (n = hash_first(&r->entries); n != NULL; n = next) {
		next = hash_next(&r->entries, n);
		free(container_of(n, struct entry, node));
	}
	hash_clear(&r->entries);
}

void
roster_free(struct roster *r)
{
	if (r == NULL)
		return;
	clear(r);
	free(r);
}

/* False: is in it. */
static bool
add(struct roster *r, const struct msg_member *m)
{
	struct entry *e;

	if (find(r, m->user_id) != NULL)
		return false;
	e = xmalloc(sizeof(*e) + m->user_id.n + m->user_info.n);
	e->stamp = m->stamp;
	e->id_len = (uint32_t)m->user_id.n;
	e->info_len = (uint32_t)m->user_info.n;
	memcpy(e->bytes, m->user_id.p, m->user_id.n);
	memcpy(e->bytes + m->user_id.n, m->user_info.p, m->user_info.n);
	hash_insert(&r->entries, &e->node, hash_str(m->user_id, 0));
	return true;
}

/* False: is not in it. */
static bool
take_out(struct roster *r, struct str id)
{
	struct hash_node *n = find(r, id);

	if (n == NULL)
		return false;
	hash_remove(&r->entries, n);
	free(container_of(n, struct entry, node));
	return true;
}

int
roster_on_roster(struct worker *w, const struct msg_roster *m)
{
	struct topic *t = topic_find(w, m->app, m->channel);

	if (t == NULL)
		return 0; /* everybody has left meanwhile */
	if (t->roster == NULL)
		t->roster = xcalloc(1, sizeof(*t->roster));
	else
		clear(t->roster);
	return 0;
}

/* To everybody here. */
static void
deliver(struct worker *w, const struct msg_member *m)
{
	struct buf **b = worker_scratch(w);
	struct msg_event e = {
		.app = m->app, .except = m->except, .channel = m->channel
	};

	if (m->change == MEMBER_ADDED)
		frame_member_added(b, m->channel, m->user_id, m->user_info);
	else
		frame_member_removed(b, m->channel, m->user_id);
	e.frame = buf_str(*b);
	topic_on_event(w, &e);
}

int
roster_on_member(struct worker *w, const struct msg_member *m)
{
	struct topic *t = topic_find(w, m->app, m->channel);
	bool news = link_is_news(w, m->origin, m->seq);

	if (m->change > MEMBER_REMOVED || m->user_id.n == 0 ||
	    (m->change != MEMBER_REMOVED && m->user_info.n == 0))
		return -1;
	if (!news || t == NULL || t->roster == NULL)
		return 0;
	if (m->change == MEMBER_REMOVED ? !take_out(t->roster, m->user_id)
					: !add(t->roster, m))
		return 0;
	if (m->change != MEMBER_IS)
		deliver(w, m);
	return 0;
}

static void
replay(struct worker *w, const struct topic *t)
{
	struct msg_roster r = { .app = t->app, .channel = topic_name(t) };
	struct msg_member m = {
		.app = t->app, .change = MEMBER_IS, .channel = topic_name(t)
	};
	const struct hash *all = &t->roster->entries;
	struct hash_node *n;

	link_send_roster(w, &r);
	for (n = hash_first(all); n != NULL; n = hash_next(all, n)) {
		const struct entry *e =
		    container_of(n, const struct entry, node);

		m.stamp = e->stamp;
		m.user_id = str_make(e->bytes, e->id_len);
		m.user_info = str_make(e->bytes + e->id_len, e->info_len);
		link_send_member(w, &m);
	}
}

void
roster_replay(struct worker *w)
{
	struct hash_node *n;

	for (n = hash_first(&w->topics); n != NULL;
	     n = hash_next(&w->topics, n)) {
		const struct topic *t =
		    container_of(n, const struct topic, node);

		/* Who is not in yet has not been told anything. */
		if (t->roster != NULL && t->n > 0)
			replay(w, t);
	}
}
