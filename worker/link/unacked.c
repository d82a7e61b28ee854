/* SPDX-License-Identifier: MIT */
/*
 * unacked.c: messages of this worker that the broker has not acknowledged.
 * Owns the messages, by reference to the sent bytes, and a tombstone for each
 * subscription or sign-in that has ended meanwhile: a new broker must enter it
 * before it reads that it ends, so that exactly one member_removed results.
 *
 * An answer of the old broker is noted in the copy that is sent again
 * (restamp), so that no client is answered twice.
 *
 * Must never know the owners of the messages.
 */

#include "worker/link/unacked.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>

#include "shared/base/buf.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "shared/proc/proc.h"
#include "worker/app/stats.h"
#include "worker/conn/conn.h"
#include "worker/core/core.h"
#include "worker/link/link.h"

#define ARENA_BYTES (64u << 10)
/* Bytes of events; an app may have as many as are still free. */
#define QUEUED_MAX (16u << 20)   /* that have not left */
#define UNACKED_MAX (128u << 20) /* that are not acknowledged */
#define SHARED_BYTES (2u << 20)  /* above it the apps' parts are counted */
/*
 * Deliveries of events that are not acknowledged, by all workers.  A worker's
 * acknowledgement comes behind the events that it delivers itself.
 */
#define FANOUT_MAX (512u << 10)
#define FANOUT_MIN (16u << 10) /* of one of many workers */
#define ANSWER_SECONDS 1.
#define UNHEARD_RUN 64                    /* messages */
#define DELIVERED_MAX (MEMRING_BYTES / 2) /* see unacked_may_deliver() */

void
unacked_init(struct worker *w)
{
	outq_init(&w->unacked->messages);
}

void
unacked_adopt(struct worker *w, uint64_t seq)
{
	struct unacked *l = w->unacked;

	l->seq = l->acked = l->taken = l->heard = w->released = seq;
}

/* ---- numbering ---- */

/* The size of the i-th stored message. */
static struct unacked_size *
size_at(const struct unacked *l, uint64_t i)
{
	return &l->sizes[(l->head + (uint32_t)i) & (l->cap - 1)];
}

/* Stores the next message's length, its app and when it was made. */
static void
keep_size(struct unacked *l, uint32_t len, uint32_t app, uint64_t made)
{
	uint32_t count = (uint32_t)(l->seq - l->acked - 1);

	if (count == l->cap) {
		uint32_t cap = MAX(64u, l->cap * 2);
		struct unacked_size *v = xcalloc(cap, sizeof(*v));

		for (uint32_t i = 0; i < count; i++)
			v[i] = *size_at(l, i);
		free(l->sizes);
		l->sizes = v;
		l->head = 0;
		l->cap = cap;
	}
	*size_at(l, count) =
	    (struct unacked_size){ .len = len, .app = app, .made = made };
}

/* Room for the message with the next number; app: it counts for it, or 0. */
static char *
reserve(struct worker *w, size_t size, uint32_t app)
{
	struct unacked *l = w->unacked;
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
	keep_size(l, n, app, stats_stamp(w));
	w->unacked_state += app == 0 ? n : 0;
	outq_push(&l->messages, l->arena, off, n);
	if (link_ipc(w) != NULL)
		ipc_queue(link_ipc(w), l->arena, off, n);
	return l->arena->data + off;
}

#define SEND(name) \
	void unacked_send_##name(struct worker *w, struct msg_##name *m) \
	{ \
		w->unacked->routed = m->seq = w->unacked->seq + 1; \
		msg_##name##_put(reserve(w, msg_##name##_size(m), 0), m); \
	}
SEND(sub)
SEND(unsub)
SEND(signin)
SEND(signout)
SEND(terminate)
#undef SEND

static uint64_t
fanout_max(const struct worker *w)
{
	return MAX(FANOUT_MAX / w->conf->nworkers, FANOUT_MIN);
}

static void
count_one(struct unacked *l, const struct unacked_size *e)
{
	shares_add_app(&l->shares, e->app, e->len);
	shares_add_app(&l->fanouts, e->app, e->fanout);
}

/* Adds a message to its app's shares; the first time, all stored ones. */
static void
count_share(struct worker *w, const struct unacked_size *e)
{
	struct unacked *l = w->unacked;

	l->counted += e->len;
	l->fanout += e->fanout;
	if (!l->sharing && l->counted <= SHARED_BYTES &&
	    l->fanout <= fanout_max(w) / 4)
		return;
	if (l->sharing) {
		count_one(l, e);
		return;
	}
	l->sharing = true;
	for (uint64_t i = 0; i < l->seq - l->acked; i++)
		if (size_at(l, i)->app != 0)
			count_one(l, size_at(l, i));
}

/*
 * Is an event probably of a channel without subscribers?  It has none here, and
 * the last ones had none in any worker.  In a cluster its publisher waits.
 */
static bool
is_unheard(const struct worker *w, const struct unacked_size *e)
{
	return e->fanout == 0 &&
	    w->unacked->acked >= w->unacked->heard + UNHEARD_RUN &&
	    *w->conf->cluster == '\0';
}

void
unacked_send_event(struct worker *w, struct msg_event *m)
{
	struct unacked *l = w->unacked;
	struct unacked_size *e;
	size_t n;

	m->origin = w->link->origin;
	m->seq = l->seq + 1;
	n = msg_event_size(m);
	msg_event_put(reserve(w, n, m->app), m);
	e = size_at(l, l->seq - l->acked - 1);
	if (!(m->flags & EVENT_DELIVERED)) {
		l->routed = m->seq;
		e->fanout = l->cost(w, m);
	}
	if (m->flags & EVENT_DELIVERED || is_unheard(w, e))
		link_may_wait(w->link);
	e->event = true;
	count_share(w, e);
}

/* Nothing follows from it that clients are told of: no event waits for it. */
void
unacked_send_idem_store(struct worker *w, struct msg_idem_store *m)
{
	struct unacked *l = w->unacked;

	m->seq = l->seq + 1;
	msg_idem_store_put(reserve(w, msg_idem_store_size(m), m->app), m);
	count_share(w, size_at(l, l->seq - l->acked - 1));
}

/* ---- events that do not wait for the broker ---- */

bool
unacked_may_deliver(const struct worker *w, size_t n)
{
	const struct unacked *l = w->unacked;

	return MAX(l->acked, l->back) >= l->routed &&
	    outq_bytes(&l->messages) + n < DELIVERED_MAX;
}

void
unacked_came_back(struct worker *w, uint64_t seq)
{
	struct unacked *l = w->unacked;

	/* Else it is something that the message has caused, perhaps of many. */
	if (seq > l->acked && seq <= l->seq &&
	    size_at(l, seq - l->acked - 1)->event)
		l->back = MAX(l->back, seq);
}

/* ---- what has ended ---- */

void
unacked_end(
    struct worker *w, struct tombstone *e, const struct tombstone_ops *ops)
{
	struct unacked *l = w->unacked;

	e->next = NULL;
	e->ops = ops;
	e->seq = l->seq;
	e->at = worker_now();
	if (l->ended == NULL)
		l->ended_end = &l->ended;
	*l->ended_end = e;
	l->ended_end = &e->next;
}

bool
unacked_is_acked(const struct worker *w, uint64_t seq)
{
	return seq <= w->unacked->acked;
}

static void
forget_first(struct worker *w)
{
	struct unacked *l = w->unacked;
	struct tombstone *e = l->ended;

	l->ended = e->next;
	e->ops->free(w, e);
}

static bool
is_needed(const struct worker *w, const struct tombstone *e)
{
	double age = worker_now() - e->at;

	return !unacked_is_acked(w, e->seq) ||
	    (age >= 0 && age < e->ops->seconds);
}

static void
forget(struct worker *w)
{
	while (w->unacked->ended != NULL && !is_needed(w, w->unacked->ended))
		forget_first(w);
}

void
unacked_tick(struct worker *w)
{
	forget(w);
}

static void
clear_shares(struct unacked *l)
{
	shares_clear(&l->shares);
	shares_clear(&l->fanouts);
	l->sharing = false;
}

void
unacked_free(struct worker *w)
{
	struct unacked *l = w->unacked;

	while (l->ended != NULL)
		forget_first(w);
	outq_clear(&l->messages);
	clear_shares(l);
	free(l->sizes);
	buf_unref(l->arena);
	l->sizes = NULL;
	l->arena = NULL;
}

bool
unacked_is_empty(const struct worker *w)
{
	return w->unacked->acked == w->unacked->seq;
}

unsigned
unacked_events(const struct worker *w)
{
	const struct unacked *l = w->unacked;
	unsigned n = 0;

	for (uint64_t i = 0; i < l->seq - l->acked; i++)
		n += size_at(l, i)->event;
	return n;
}

static void
uncount(struct unacked *l, const struct unacked_size *e)
{
	l->counted -= e->len;
	l->fanout -= e->fanout;
	if (!l->sharing)
		return;
	shares_sub_app(&l->shares, e->app, e->len);
	shares_sub_app(&l->fanouts, e->app, e->fanout);
}

int
unacked_on_ack(struct worker *w, const struct msg_ack *m)
{
	struct unacked *l = w->unacked;
	size_t bytes = 0;

	if (m->taken > l->seq || m->seq > m->taken || m->heard > m->taken)
		return -1;
	while (l->acked < m->seq) {
		const struct unacked_size *e = size_at(l, 0);

		if (e->app != 0)
			uncount(l, e);
		else
			w->unacked_state -= e->len;
		bytes += e->len;
		l->head = (l->head + 1) & (l->cap - 1);
		l->acked++;
	}
	outq_consume(&l->messages, bytes);
	if (l->sharing && l->counted < SHARED_BYTES / 2 &&
	    l->fanout < fanout_max(w) / 8)
		clear_shares(l);
	forget(w);
	l->taken = MAX(l->taken, m->taken);
	l->heard = MAX(l->heard, m->heard);
	return 0;
}

/* ---- how much, and how far ---- */

size_t
unacked_app_bytes(const struct worker *w, uint32_t app)
{
	return shares_held(&w->unacked->shares, app);
}

bool
unacked_may_publish(struct worker *w, uint32_t app)
{
	const struct unacked *l = w->unacked;
	/* At most this many bytes of the stored events have not left yet. */
	size_t queued =
	    link_is_up(w) ? MIN(link_queued(w), l->counted) : l->counted;
	size_t of_app;

	if (!l->sharing)
		return true;
	of_app = unacked_app_bytes(w, app);
	return l->counted + of_app < UNACKED_MAX &&
	    (queued < SHARED_BYTES || queued + of_app < QUEUED_MAX);
}

bool
unacked_must_wait(const struct worker *w, uint32_t app)
{
	const struct unacked *l = w->unacked;
	uint64_t fanout = shares_held(&l->fanouts, app);

	return fanout > 0 && l->fanout + fanout >= fanout_max(w);
}

void
unacked_release(struct worker *w)
{
	struct unacked *l = w->unacked;
	bool alone = *w->conf->cluster == '\0';
	bool gave_up = alone && !link_is_up(w) &&
	    worker_now() - w->link->down_at > ANSWER_SECONDS;
	bool has_left = link_is_open(w) && link_queued(w) == 0;

	if (gave_up || (alone && has_left))
		conn_release(w, l->seq);
	else /* a link under load is never empty */
		conn_release(w, l->taken);
}

/* ---- a new broker ---- */

void
unacked_replay(struct worker *w)
{
	const struct tombstone *e;

	forget(w);
	for (e = w->unacked->ended; e != NULL; e = e->next)
		e->ops->replay(w, e);
}

/* Its kind notes the outcome in it, in place. */
static void
restamp(struct worker *w, char *p, uint32_t n)
{
	uint32_t type;

	memcpy(&type, p + offsetof(struct msg_event_wire, type_), sizeof(type));
	w->unacked->restamp(w, type, p, n);
}

void
unacked_resend(struct worker *w)
{
	struct unacked *l = w->unacked;
	struct msg_place place = { 0 };
	uint32_t i = 0, used = 0, n;

	for (uint64_t seq = l->acked + 1; seq <= l->seq; seq++) {
		const struct slice *s = outq_at(&l->messages, i);

		if (place.us != size_at(l, seq - l->acked - 1)->made) {
			place.us = size_at(l, seq - l->acked - 1)->made;
			link_send_place(w, &place);
		}
		n = size_at(l, seq - l->acked - 1)->len;
		assert(used + n <= s->len);
		restamp(w, s->b->data + s->off + used, n);
		ipc_queue(link_ipc(w), s->b, s->off + used, n);
		used += n;
		if (used == s->len) {
			used = 0;
			i++;
		}
	}
	ipc_close_place(link_ipc(w)); /* later messages have their own */
}
