/* SPDX-License-Identifier: MIT */
/*
 * unacked.c: messages of this worker that the broker has not acknowledged.
 * Owns the messages, by reference to the bytes that were sent, and a tombstone
 * for each thing that has ended meanwhile: a new broker has to enter it before
 * it reads that it ends, so that exactly one member_removed results.
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
#include "worker/conn/conn.h"
#include "worker/core/core.h"
#include "worker/link/link.h"

#define ARENA_BYTES (64u << 10)
#define EVENT (UINT32_C(1) << 31) /* in len: it is one */
#define HIGH_BYTES (8u << 20)     /* queued: publishes are refused above */
#define LOW_BYTES (2u << 20)      /* … and accepted again below */
#define KEPT_BYTES (64u << 20)    /* not acknowledged, at most */
#define ANSWER_SECONDS 1.

void
unacked_init(struct worker *w)
{
	outq_init(&w->unacked->messages);
}

/* ---- numbering ---- */

/* Remembers that the next kept message is n bytes long, and perhaps EVENT. */
static void
keep_length(struct unacked *l, uint32_t n)
{
	uint32_t count = (uint32_t)(l->seq - l->acked - 1);

	if (count == l->cap) {
		uint32_t cap = MAX(64u, l->cap * 2);
		uint32_t *v = xcalloc(cap, sizeof(*v));

		for (uint32_t i = 0; i < count; i++)
			v[i] = l->len[(l->head + i) & (l->cap - 1)];
		free(l->len);
		l->len = v;
		l->head = 0;
		l->cap = cap;
	}
	l->len[(l->head + count) & (l->cap - 1)] = n;
}

/* Room for the message with the number that is next; kind: EVENT or 0. */
static char *
reserve(struct worker *w, size_t size, uint32_t kind)
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
	keep_length(l, n | kind);
	outq_push(&l->messages, l->arena, off, n);
	if (link_ipc(w) != NULL)
		ipc_queue(link_ipc(w), l->arena, off, n);
	return l->arena->data + off;
}

#define SEND(name) \
	void unacked_send_##name(struct worker *w, struct msg_##name *m) \
	{ \
		m->seq = w->unacked->seq + 1; \
		msg_##name##_put(reserve(w, msg_##name##_size(m), 0), m); \
	}
SEND(sub)
SEND(unsub)
SEND(signin)
SEND(signout)
SEND(terminate)
#undef SEND

void
unacked_send_event(struct worker *w, struct msg_event *m)
{
	size_t n;

	m->origin = w->link->origin;
	m->seq = w->unacked->seq + 1;
	n = msg_event_size(m);
	w->unacked->events += n;
	msg_event_put(reserve(w, n, EVENT), m);
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

void
unacked_free(struct worker *w)
{
	struct unacked *l = w->unacked;

	while (l->ended != NULL)
		forget_first(w);
	outq_clear(&l->messages);
	free(l->len);
	buf_unref(l->arena);
	l->len = NULL;
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
	uint32_t count = (uint32_t)(l->seq - l->acked);
	unsigned n = 0;

	for (uint32_t i = 0; i < count; i++)
		if (l->len[(l->head + i) & (l->cap - 1)] & EVENT)
			n++;
	return n;
}

int
unacked_on_ack(struct worker *w, const struct msg_ack *m)
{
	struct unacked *l = w->unacked;
	size_t bytes = 0;
	uint32_t n;

	if (m->taken > l->seq || m->seq > m->taken)
		return -1;
	while (l->acked < m->seq) {
		n = l->len[l->head];
		if (n & EVENT)
			l->events -= n & ~EVENT;
		bytes += n & ~EVENT;
		l->head = (l->head + 1) & (l->cap - 1);
		l->acked++;
	}
	outq_consume(&l->messages, bytes);
	forget(w);
	l->taken = MAX(l->taken, m->taken);
	return 0;
}

/* ---- how much, and how far ---- */

bool
unacked_may_publish(struct worker *w)
{
	struct unacked *l = w->unacked;
	/* Of the events that are kept, no more than this has not left yet. */
	size_t queued = MIN(link_queued(w), l->events);

	if (!link_is_up(w))
		return l->events < HIGH_BYTES;
	if (queued > HIGH_BYTES)
		l->high = true;
	else if (queued < LOW_BYTES)
		l->high = false;
	return !l->high && l->events < KEPT_BYTES;
}

void
unacked_release(struct worker *w)
{
	struct unacked *l = w->unacked;
	bool gave_up =
	    !link_is_up(w) && worker_now() - w->link->down_at > ANSWER_SECONDS;
	bool has_left = link_is_open(w) && link_queued(w) == 0;

	l->several = l->several || w->conf->nworkers > 1;
	if (gave_up || (!l->several && has_left))
		conn_release(w, l->seq);
	else if (l->several)
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

/* Its kind notes in it, in place, what has become of it. */
static void
restamp(struct worker *w, char *p, uint32_t n)
{
	uint32_t type;

	memcpy(&type, p + 4, sizeof(type));
	w->unacked->restamp(w, type, p, n);
}

void
unacked_resend(struct worker *w)
{
	struct unacked *l = w->unacked;
	uint32_t i = 0, used = 0, n;

	for (uint64_t seq = l->acked + 1; seq <= l->seq; seq++) {
		const struct slice *s = outq_at(&l->messages, i);

		n = l->len[(l->head + (uint32_t)(seq - l->acked - 1)) &
			(l->cap - 1)] &
		    ~EVENT;
		assert(used + n <= s->len);
		restamp(w, s->b->data + s->off + used, n);
		ipc_queue(link_ipc(w), s->b, s->off + used, n);
		used += n;
		if (used == s->len) {
			used = 0;
			i++;
		}
	}
}
