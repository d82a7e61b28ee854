/* SPDX-License-Identifier: MIT */
/*
 * member_conns.c: the connections of a member of a presence channel, by age.
 * Owns the connections after the first one and the references to their
 * user_info.  The first one has no node in the table, so that a member with
 * one connection costs nothing more.  New connections come in the order of
 * their stamps; replays do not, and then the list is sorted when its head is
 * needed.  Must never decide who is a member.
 */

#include "broker/channel/member_conns.h"

#include <stdlib.h>

#include "shared/base/xmalloc.h"

struct more {
	struct hash_node node; /* in the table, by socket id */
	struct list list;
	struct member_conns *of;
	struct member_conn conn;
};

static struct more *
more_of(struct list *l)
{
	return LIST_ITEM(l, struct more, list);
}

const struct member_conn *
member_conn_of_list(const struct list *l)
{
	return &container_of(l, const struct more, list)->conn;
}

void
member_conns_init(struct member_conns *s)
{
	list_init(&s->more);
}

struct buf *
member_conns_keep_info(
    struct member_conn_table *t, const struct member_conns *s, struct str info)
{
	struct buf *known = s->first.info;

	/* Nearly always all connections of a user say the same. */
	if (known != NULL && str_eq(buf_str(known), info))
		return buf_ref(known);
	if (!list_is_empty(&s->more)) {
		known = more_of(s->more.prev)->conn.info;
		if (str_eq(buf_str(known), info))
			return buf_ref(known);
	}
	t->bytes += info.n;
	return buf_from(info);
}

void
member_conns_forget_info(struct member_conn_table *t, struct buf *info)
{
	if (info == NULL)
		return;
	if (info->refs == 1)
		t->bytes -= info->len;
	buf_unref(info);
}

static void
remove_more(struct member_conn_table *t, struct more *e)
{
	hash_remove(&t->more, &e->node);
	list_remove(&e->list);
	member_conns_forget_info(t, e->conn.info);
	free(e);
}

void
member_conns_clear(struct member_conn_table *t, struct member_conns *s)
{
	while (!list_is_empty(&s->more))
		remove_more(t, more_of(s->more.next));
	member_conns_forget_info(t, s->first.info);
	s->first.info = NULL;
	s->n = 0;
}

static void
add_more(struct member_conn_table *t, struct member_conns *s,
    struct member_conn conn)
{
	struct more *e = xcalloc(1, sizeof(*e));

	e->of = s;
	e->conn = conn;
	if (!list_is_empty(&s->more) &&
	    more_of(s->more.prev)->conn.stamp > conn.stamp)
		s->mixed = true;
	list_append(&s->more, &e->list);
	hash_insert(&t->more, &e->node, hash_u64(conn.sid));
}

static void
set_first(struct member_conn_table *t, struct member_conns *s,
    struct member_conn conn)
{
	struct buf *before = s->first.info;

	if (before != NULL && before != conn.info)
		t->changed = true;
	s->first = conn;
	member_conns_forget_info(t, before);
}

void
member_conns_add(struct member_conn_table *t, struct member_conns *s,
    struct member_conn conn)
{
	if (s->n++ == 0) {
		set_first(t, s, conn);
	} else if (conn.stamp >= s->first.stamp) {
		add_more(t, s, conn);
	} else { /* a replay knows an older one */
		buf_ref(s->first.info);
		add_more(t, s, s->first);
		set_first(t, s, conn);
	}
}

static int
by_age(const void *a, const void *b)
{
	uint64_t x = more_of(*(struct list *const *)a)->conn.stamp;
	uint64_t y = more_of(*(struct list *const *)b)->conn.stamp;

	return (x > y) - (x < y);
}

void
member_conns_sort_list(
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
promote(struct member_conn_table *t, struct member_conns *s)
{
	struct more *e;

	if (s->mixed)
		member_conns_sort_list(&s->more, s->n, by_age);
	s->mixed = false;
	e = more_of(s->more.next);
	buf_ref(e->conn.info);
	set_first(t, s, e->conn);
	remove_more(t, e);
}

struct wanted {
	const struct member_conns *of;
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

	if (e->of == w->of && e->conn.sid == w->sid &&
	    e->conn.slot == w->slot &&
	    (w->oldest == NULL || e->conn.stamp < w->oldest->conn.stamp))
		w->oldest = e;
	return false;
}

bool
member_conns_remove(struct member_conn_table *t, struct member_conns *s,
    unsigned slot, uint64_t sid)
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
member_conns_drop(
    struct member_conn_table *t, struct member_conns *s, unsigned slot)
{
	struct list *l, *next;

	if (s->n == 0)
		return;
	LIST_FOREACH_SAFE(l, next, &s->more) {
		if (more_of(l)->conn.slot == slot) {
			s->n--;
			remove_more(t, more_of(l));
		}
	}
	if (s->first.slot == slot && --s->n > 0)
		promote(t, s);
}

void
member_conns_move(struct member_conns *s, unsigned from, unsigned to)
{
	struct list *l;

	if (s->first.slot == from)
		s->first.slot = to;
	LIST_FOREACH(l, &s->more)
		if (more_of(l)->conn.slot == from)
			more_of(l)->conn.slot = to;
}
