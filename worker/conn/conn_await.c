/* SPDX-License-Identifier: MIT */
/*
 * conn_await.c: answers that wait until an event is safe at the broker.  Each
 * has a mark in the output queue, and nothing after the mark leaves before its
 * number is released: of several requests on one connection each is answered
 * when its own event is safe.  Owns the marks, and w->awaiting, which is sorted
 * by the numbers that its connections wait for.
 */

#include <stdlib.h>

#include "shared/base/base.h"
#include "shared/base/xmalloc.h"
#include "worker/conn/conn.h"
#include "worker/core/core.h"

#define FIRST_CAP 4u

struct mark {
	uint64_t pos; /* position in the output queue: later bytes wait */
	uint64_t seq; /* for this */
	double since; /* loop time */
};

struct marks {
	uint32_t head, n, cap; /* a ring; cap: a power of two */
	struct mark v[];
};

static struct mark *
at(struct marks *m, uint32_t i)
{
	return &m->v[(m->head + i) & (m->cap - 1)];
}

static struct marks *
larger(struct marks *old)
{
	uint32_t cap = old == NULL ? FIRST_CAP : old->cap * 2;
	struct marks *m = xcalloc(1, sizeof(*m) + cap * sizeof(m->v[0]));

	m->cap = cap;
	for (; old != NULL && m->n < old->n; m->n++)
		m->v[m->n] = *at(old, m->n);
	free(old);
	return m;
}

void
conn_await(struct conn *c, uint64_t seq)
{
	struct marks *m = c->marks;

	if (m == NULL || m->n == m->cap)
		m = c->marks = larger(m);
	if (m->n > 0 && at(m, m->n - 1)->pos == c->out.in)
		m->n--; /* one mark serves both */
	*at(m, m->n++) = (struct mark){ c->out.in, seq, worker_now() };
}

size_t
conn_may_write(struct conn *c)
{
	struct marks *m = c->marks;

	if (m == NULL)
		return SIZE_MAX;
	while (m->n > 0 && at(m, 0)->seq <= c->w->released) {
		m->head = (m->head + 1) & (m->cap - 1);
		m->n--;
	}
	return m->n == 0 ? SIZE_MAX : (size_t)(at(m, 0)->pos - c->out.out);
}

void
conn_defer(struct conn *c)
{
	struct list *e;

	list_remove(&c->link);
	for (e = c->w->awaiting.prev; e != &c->w->awaiting; e = e->prev)
		if (at(CONN_OF(e, link)->marks, 0)->seq <= at(c->marks, 0)->seq)
			break;
	list_append(e->next, &c->link); /* before that one */
}

void
conn_release(struct worker *w, uint64_t seq)
{
	struct conn *c;

	w->released = MAX(w->released, seq);
	while (!list_is_empty(&w->awaiting)) {
		c = CONN_OF(w->awaiting.next, link);
		if (at(c->marks, 0)->seq > w->released)
			return;
		conn_move(c, &w->dirty);
	}
}

struct conn *
conn_overdue(struct worker *w, double before)
{
	struct conn *c;

	if (list_is_empty(&w->awaiting))
		return NULL;
	c = CONN_OF(w->awaiting.next, link);
	return at(c->marks, 0)->since < before ? c : NULL;
}

void
conn_answer_instead(struct conn *c, struct str bytes)
{
	outq_shorten(&c->out, (size_t)(c->out.in - at(c->marks, 0)->pos));
	c->marks->n = 0;
	outq_push_copy(&c->out, bytes);
	conn_move(c, &c->w->dirty);
	conn_finish(c);
}
