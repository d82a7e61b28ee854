/* SPDX-License-Identifier: MIT */
/*
 * seat.c: the connections of a member of a presence channel, by age.  Owns the
 * seats after the first one and the references to their user_info.  The first
 * seat has no node in the table, so that a member with one connection costs
 * nothing more.  New connections come in the order of their stamps; replays do
 * not, and then the list is sorted when its head is needed.  Must never decide
 * who is a member.
 */

#include "broker/channel/seat.h"

#include <stdlib.h>

#include "shared/base/xmalloc.h"

struct more {
	struct hash_node node; /* in the table, by socket id */
	struct list list;
	struct seats *of;
	struct seat seat;
};

static struct more *
more_of(struct list *l)
{
	return LIST_ITEM(l, struct more, list);
}

const struct seat *
seat_of_list(const struct list *l)
{
	return &container_of(l, const struct more, list)->seat;
}

void
seats_init(struct seats *s)
{
	list_init(&s->more);
}

struct buf *
seats_keep_info(struct seat_table *t, const struct seats *s, struct str info)
{
	struct buf *known = s->first.info;

	/* Nearly always all connections of a user say the same. */
	if (known != NULL && str_eq(buf_str(known), info))
		return buf_ref(known);
	if (!list_is_empty(&s->more)) {
		known = more_of(s->more.prev)->seat.info;
		if (str_eq(buf_str(known), info))
			return buf_ref(known);
	}
	t->bytes += info.n;
	return buf_from(info);
}

void
seats_forget_info(struct seat_table *t, struct buf *info)
{
	if (info == NULL)
		return;
	if (info->refs == 1)
		t->bytes -= info->len;
	buf_unref(info);
}

static void
remove_more(struct seat_table *t, struct more *e)
{
	hash_remove(&t->more, &e->node);
	list_remove(&e->list);
	seats_forget_info(t, e->seat.info);
	free(e);
}

void
seats_clear(struct seat_table *t, struct seats *s)
{
	while (!list_is_empty(&s->more))
		remove_more(t, more_of(s->more.next));
	seats_forget_info(t, s->first.info);
	s->first.info = NULL;
	s->n = 0;
}

static void
add_more(struct seat_table *t, struct seats *s, struct seat seat)
{
	struct more *e = xcalloc(1, sizeof(*e));

	e->of = s;
	e->seat = seat;
	if (!list_is_empty(&s->more) &&
	    more_of(s->more.prev)->seat.stamp > seat.stamp)
		s->mixed = true;
	list_append(&s->more, &e->list);
	hash_insert(&t->more, &e->node, hash_u64(seat.sid));
}

static void
set_first(struct seat_table *t, struct seats *s, struct seat seat)
{
	struct buf *before = s->first.info;

	if (before != NULL && before != seat.info)
		t->changed = true;
	s->first = seat;
	seats_forget_info(t, before);
}

void
seats_add(struct seat_table *t, struct seats *s, struct seat seat)
{
	if (s->n++ == 0) {
		set_first(t, s, seat);
	} else if (seat.stamp >= s->first.stamp) {
		add_more(t, s, seat);
	} else { /* a replay knows an older one */
		buf_ref(s->first.info);
		add_more(t, s, s->first);
		set_first(t, s, seat);
	}
}

static int
by_age(const void *a, const void *b)
{
	uint64_t x = more_of(*(struct list *const *)a)->seat.stamp;
	uint64_t y = more_of(*(struct list *const *)b)->seat.stamp;

	return (x > y) - (x < y);
}

void
seats_sort_list(
    struct list *l, size_t n, int (*compare)(const void *, const void *))
{
	struct list **v = xcalloc(n, sizeof(struct list *)), *e;
	size_t i = 0;

	LIST_FOREACH(e, l)
		v[i++] = e;
	qsort(v, n, sizeof(*v), compare);
	list_init(l);
	for (i = 0; i < n; i++)
		list_append(l, v[i]);
	free(v);
}

/* The first connection is gone; the oldest of the others replaces it. */
static void
promote(struct seat_table *t, struct seats *s)
{
	struct more *e;

	if (s->mixed)
		seats_sort_list(&s->more, s->n, by_age);
	s->mixed = false;
	e = more_of(s->more.next);
	buf_ref(e->seat.info);
	set_first(t, s, e->seat);
	remove_more(t, e);
}

struct wanted {
	const struct seats *of;
	uint64_t sid;
	unsigned slot;
	struct more *oldest;
};

/* Looks at all nodes that have the hash. */
static bool
note_oldest(const struct hash_node *n, const void *key)
{
	struct more *e = container_of(n, struct more, node);
	struct wanted *w = *(struct wanted *const *)key;

	if (e->of == w->of && e->seat.sid == w->sid &&
	    e->seat.slot == w->slot &&
	    (w->oldest == NULL || e->seat.stamp < w->oldest->seat.stamp))
		w->oldest = e;
	return false;
}

bool
seats_remove(struct seat_table *t, struct seats *s, unsigned slot, uint64_t sid)
{
	struct wanted w = { s, sid, slot, NULL }, *key = &w;

	if (s->n == 0)
		return false;
	if (s->first.sid == sid && s->first.slot == slot) {
		if (--s->n > 0)
			promote(t, s);
		return true;
	}
	hash_find(&t->more, hash_u64(sid), note_oldest, &key);
	if (w.oldest == NULL)
		return false;
	s->n--;
	remove_more(t, w.oldest);
	return true;
}

void
seats_drop(struct seat_table *t, struct seats *s, unsigned slot)
{
	struct list *l, *next;

	if (s->n == 0)
		return;
	LIST_FOREACH_SAFE(l, next, &s->more) {
		if (more_of(l)->seat.slot == slot) {
			s->n--;
			remove_more(t, more_of(l));
		}
	}
	if (s->first.slot == slot && --s->n > 0)
		promote(t, s);
}

void
seats_move(struct seats *s, unsigned from, unsigned to)
{
	struct list *l;

	if (s->first.slot == from)
		s->first.slot = to;
	LIST_FOREACH(l, &s->more)
		if (more_of(l)->seat.slot == from)
			more_of(l)->seat.slot = to;
}
