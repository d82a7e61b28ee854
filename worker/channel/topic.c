/* SPDX-License-Identifier: MIT */
/*
 * topic.c: a channel's local subscribers as a dense array, its roster, and the
 * local fan-out: the worker's hot path.  One event costs one copy of its frame
 * into the arena, one lookup, and 16 bytes in the queue of each subscriber.
 *
 * The loop over the entries only queues.  Everything that would remove an
 * entry (a client over its limit, a failed write) waits for the end of the
 * turn.
 */

#include "worker/channel/topic.h"

#include "shared/base/xmalloc.h"
#include "shared/pusher/frames.h"
#include "worker/app/apps.h"
#include "worker/app/stats.h"
#include "worker/channel/roster.h"
#include "worker/conn/conn.h"
#include "worker/conn/input.h"
#include "worker/conn/variants.h"
#include "worker/core/core.h"
#include "worker/link/link.h"
#include "worker/session/session.h"

#define PREFETCH 8                /* entries prefetched */
#define FANOUT_TURN (128u << 10)  /* deliveries; the rest has the next turn */
#define RECEIPT_BYTES (64u << 10) /* of rows, in one message */

struct topic_key {
	uint32_t app;
	struct str name;
};

static bool
topic_eq(const struct hash_node *n, const void *key)
{
	const struct topic_key *k = key;
	const struct topic *t = container_of(n, const struct topic, node);

	return t->app == k->app && str_eq(topic_name(t), k->name);
}

struct topic *
topic_find(struct worker *w, uint32_t app, struct str name)
{
	struct topic_key k = { app, name };
	struct hash_node *n =
	    hash_find(&w->topics, hash_str(name, app), topic_eq, &k);

	return n == NULL ? NULL : container_of(n, struct topic, node);
}

struct topic *
topic_get(struct worker *w, uint32_t app, struct str name)
{
	struct topic *t = topic_find(w, app, name);

	if (t == NULL) {
		t = xcalloc(1, sizeof(*t) + name.n);
		t->app = app;
		t->name_len = name.n;
		memcpy(t->name, name.p, name.n);
		hash_insert(&w->topics, &t->node, hash_str(name, app));
	}
	t->refs++;
	return t;
}

void
topic_unref(struct worker *w, struct topic *t)
{
	if (--t->refs > 0)
		return;
	hash_remove(&w->topics, &t->node);
	free(t->v);
	context_free(w, t->context);
	roster_free(t->roster);
	free(t);
}

void
topic_add(struct topic *t, struct conn *c, uint32_t *index)
{
	if (t->n == t->cap) {
		t->cap = t->cap == 0 ? 1 : t->cap * 2;
		t->v = xreallocarray(t->v, t->cap, sizeof(*t->v));
	}
	*index = t->n;
	t->packing += c->deflate.bits != 0;
	t->v[t->n++] = (struct topic_entry){ c, index };
}

void
topic_remove(struct topic *t, uint32_t index)
{
	t->packing -= t->v[index].c->deflate.bits != 0;
	t->v[index] = t->v[--t->n];
	*t->v[index].index = index;
	if (t->cap > 16 && t->n < t->cap / 4) {
		t->cap /= 2;
		t->v = xreallocarray(t->v, t->cap, sizeof(*t->v));
	}
}

/* Those whom an event is not for, by socket id; 0: nobody. */
struct excluded {
	uint64_t sid;
	uint64_t successor; /* it has come back since, with its session */
};

static struct excluded
excluded_by(const struct worker *w, uint64_t except)
{
	return (struct excluded){ except,
		except == 0 ? 0 : session_sids_heir(w->sessions, except) };
}

static bool
is_excluded(struct excluded x, const struct conn *c)
{
	return x.sid != 0 &&
	    (conn_sid(c) == x.sid || conn_sid(c) == x.successor);
}

/* The clients with a session will be asked for a confirmation. */
static void
note_sessions(struct worker *w, const struct topic *t,
    const struct msg_event *m, struct excluded x)
{
	struct client_app *a = client_app_of(t->v[0].c->app);

	if (m->pos > a->log_pos)
		a->log_pos = m->pos;
	for (uint32_t i = 0; i < t->n; i++) {
		struct conn *c = t->v[i].c;

		if (i + 2 * PREFETCH < t->n)
			__builtin_prefetch(&t->v[i + 2 * PREFETCH].c->session);
		if (i + PREFETCH < t->n)
			session_prefetch(
			    w->sessions, &t->v[i + PREFETCH].c->session);
		if (c->session.named && !is_excluded(x, c))
			session_sent(w->sessions, &c->session, c, m->pos);
	}
}

/* Sends it to all in the best form for each; false: all get it plain. */
static bool
fan_out_packed(struct worker *w, struct topic *t, const struct msg_event *m,
    struct excluded x)
{
	struct app *app = t->v[0].c->app;
	struct stats_app *a = stats_of(app);
	struct variants v = {
		.w = w, .context = &t->context, .frame = m->frame
	};

	if (!variants_begin(&v, app, t->packing, m->channel))
		return false;
	for (uint32_t i = 0; i < t->n; i++) {
		struct conn *c = t->v[i].c;

		if (i + PREFETCH < t->n)
			__builtin_prefetch(&t->v[i + PREFETCH].c->out, 1);
		if (is_excluded(x, c)) {
			a->deliveries--;
			a->messages_out--;
		} else {
			variants_queue(&v, c);
		}
	}
	variants_end(&v, app);
	return true;
}

static void
fan_out(struct worker *w, const struct topic *t, const struct msg_event *m,
    struct excluded x)
{
	struct stats_app *a = stats_of(t->v[0].c->app);
	struct slice s = worker_arena(&w->events, m->frame);

	for (uint32_t i = 0; i < t->n; i++) {
		struct conn *c = t->v[i].c;

		if (i + PREFETCH < t->n)
			__builtin_prefetch(&t->v[i + PREFETCH].c->out, 1);
		if (is_excluded(x, c)) {
			a->deliveries--;
			a->messages_out--;
		} else {
			conn_queue(c, s.b, s.off, s.len);
		}
	}
}

void
topic_on_event(struct worker *w, const struct msg_event *m)
{
	struct topic *t = topic_find(w, m->app, m->channel);
	struct excluded x;
	struct stats_app *a;
	uint64_t before;

	if (t == NULL || t->n == 0 || m->frame.n == 0)
		return;
	x = excluded_by(w, m->except);
	stats_sample(w->stats, m->read_us);
	if (m->pos != 0)
		note_sessions(w, t, m, x);
	a = stats_of(t->v[0].c->app);
	before = a->deliveries;
	a->deliveries += t->n;
	a->messages_out += t->n;
	if (t->packing == 0 || !fan_out_packed(w, t, m, x))
		fan_out(w, t, m, x);
	w->coalesce.nevents += a->deliveries > before;
	w->coalesce.fanout += (uint32_t)(a->deliveries - before);
	if (w->coalesce.fanout >= FANOUT_TURN)
		ipc_rest(&w->link->ipc);
}

/*
 * One walk over the entries, as for the event itself; those that have left
 * since are in nobody's count.
 */
int
topic_on_receipt(struct worker *w, const struct msg_receipt *q)
{
	const struct topic *t = topic_find(w, q->app, q->channel);
	struct excluded x = excluded_by(w, q->except);
	struct msg_receipt_rows m = { .id = q->id,
		.channel_at = q->channel_at };
	struct buf *rows = NULL;

	for (uint32_t i = 0; t != NULL && i < t->n; i++) {
		const struct conn *c = t->v[i].c;
		uint64_t sid = conn_sid(c);

		if (is_excluded(x, c))
			continue;
		if (!c->session.named || c->session.row == UINT32_MAX ||
		    c->session.mute) {
			m.without_session++;
			continue;
		}
		buf_append(&rows, str_make((char *)&sid, sizeof(sid)));
		buf_append(&rows,
		    str_make(
			(const char *)&c->session.row, sizeof(c->session.row)));
		if (rows->len < RECEIPT_BYTES)
			continue;
		m.rows = buf_str(rows);
		link_send_receipt_rows(w, &m);
		rows->len = 0;
		m.without_session = 0;
	}
	m.rows = buf_str(rows);
	m.last = 1;
	link_send_receipt_rows(w, &m);
	buf_unref(rows);
	return 0;
}

/* To compress an event of n bytes: alone, and behind the one before it. */
static size_t
packing_cost(const struct topic *t, size_t n)
{
	return t->packing == 0 ? 0 : 2 * n / COST_DEFLATE;
}

size_t
topic_event_cost(const struct topic *t, size_t n)
{
	size_t known = MAX(t->n, roster_members(t->roster));

	return known / COST_DELIVERIES + known * n / COST_ANSWER +
	    packing_cost(t, n);
}

uint32_t
topic_fanout(struct worker *w, const struct msg_event *m)
{
	const struct topic *t = topic_find(w, m->app, m->channel);
	uint64_t n;

	if (t == NULL)
		return 0;
	n = t->n * (1 + m->frame.n / COST_ANSWER) +
	    packing_cost(t, m->frame.n) * COST_DELIVERIES;
	return (uint32_t)MIN(n, UINT32_MAX);
}

int
topic_on_roster(struct worker *w, const struct msg_roster *m)
{
	struct topic *t = topic_find(w, m->app, m->channel);

	if (t == NULL)
		return 0; /* all subscribers have left meanwhile */
	if (t->roster == NULL)
		t->roster = roster_new();
	else
		roster_clear(t->roster);
	return 0;
}

bool
topic_has_roster(struct worker *w, uint32_t app, struct str name)
{
	const struct topic *t = topic_find(w, app, name);

	return t != NULL && t->roster != NULL;
}

void
topic_forget_roster(struct topic *t)
{
	roster_free(t->roster);
	t->roster = NULL;
}

/* Sends it to all subscribers here. */
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
topic_on_member(struct worker *w, const struct msg_member *m)
{
	struct topic *t = topic_find(w, m->app, m->channel);
	bool is_new = link_is_new(w, m->origin, m->seq);

	if (m->change > MEMBER_REMOVED || m->user_id.n == 0 ||
	    (m->change != MEMBER_REMOVED && m->user_info.n == 0))
		return -1;
	if (!is_new || t == NULL || t->roster == NULL)
		return 0;
	if (roster_change(t->roster, m) && m->change != MEMBER_IS)
		deliver(w, m);
	return 0;
}

void
topics_replay_rosters(struct worker *w)
{
	struct hash_node *n;

	HASH_FOREACH(n, &w->topics) {
		const struct topic *t =
		    container_of(n, const struct topic, node);

		/* A pending subscriber has been sent nothing yet. */
		if (t->roster != NULL && t->n > 0)
			roster_replay(w, t->roster, t->app, topic_name(t));
	}
}
