/* SPDX-License-Identifier: MIT */
/*
 * last_closes.c: the records of connections that ended.  Owns them.  Their
 * texts are those of the caller.  Must never hold more than LAST_CLOSES_MAX.
 */

#include "shared/proc/last_closes.h"

#include <stdlib.h>

#include "shared/base/base.h"
#include "shared/base/xmalloc.h"

struct last_close {
	struct stats_close c;
	struct list in_order, in_app;
	struct share *share;
};

static struct last_close *
of_order(const struct list *e)
{
	return LIST_ITEM(e, struct last_close, in_order);
}

static void
forget(struct last_closes *l, struct last_close *e)
{
	list_remove(&e->in_order);
	list_remove(&e->in_app);
	shares_sub(&l->by_app, e->share, 1);
}

/* One that is in no list. */
static struct last_close *
take(struct last_closes *l)
{
	struct last_close *e;

	if (l->v == NULL) {
		l->v = xcalloc(LAST_CLOSES_MAX, sizeof(*l->v));
		list_init(&l->in_order);
	}
	if (!last_closes_is_full(l)) {
		e = &l->v[l->n++];
		list_init(&e->in_order);
		list_init(&e->in_app);
		return e;
	}
	e = LIST_ITEM(shares_largest(&l->by_app)->entries.next,
	    struct last_close, in_app);
	forget(l, e);
	return e;
}

struct stats_close *
last_closes_add(struct last_closes *l, uint32_t app)
{
	struct last_close *e = take(l);

	e->c.app = app;
	e->share = shares_get(&l->by_app, app);
	shares_add(&l->by_app, e->share, 1);
	list_append(&e->share->entries, &e->in_app);
	list_append(&l->in_order, &e->in_order);
	return &e->c;
}

/* The place of a record; NULL: before the oldest and behind the newest. */
static const struct list *
place_of(const struct last_closes *l, const struct stats_close *c)
{
	return c == NULL
	    ? &l->in_order
	    : &container_of(c, const struct last_close, c)->in_order;
}

static const struct stats_close *
at(const struct last_closes *l, const struct list *e)
{
	return l->n == 0 || e == &l->in_order ? NULL : &of_order(e)->c;
}

const struct stats_close *
last_closes_after(const struct last_closes *l, const struct stats_close *c)
{
	return at(l, place_of(l, c)->next);
}

const struct stats_close *
last_closes_before(const struct last_closes *l, const struct stats_close *c)
{
	return at(l, place_of(l, c)->prev);
}

void
last_closes_empty(struct last_closes *l)
{
	for (; l->n > 0; l->n--)
		forget(l, &l->v[l->n - 1]);
}

void
last_closes_clear(struct last_closes *l)
{
	last_closes_empty(l);
	shares_clear(&l->by_app);
	free(l->v);
	l->v = NULL;
}
