/* SPDX-License-Identifier: MIT */
#ifndef SHARED_BASE_LIST_H
#define SHARED_BASE_LIST_H

/*
 * An intrusive, circular, doubly linked list.  The head is a struct list of
 * its own; an element that is in no list points at itself, so that
 * list_remove() may be called on it.  All operations are O(1).
 */

#include <stdbool.h>

#include "shared/base/base.h"

struct list {
	struct list *prev, *next;
};

static inline void
list_init(struct list *l)
{
	l->prev = l->next = l;
}

static inline bool
list_is_empty(const struct list *l)
{
	return l->next == l;
}

/* Puts the element at the end.  It must be in no list. */
static inline void
list_append(struct list *head, struct list *e)
{
	e->prev = head->prev;
	e->next = head;
	head->prev->next = e;
	head->prev = e;
}

/* Takes the element out; harmless when it is in no list. */
static inline void
list_remove(struct list *e)
{
	e->prev->next = e->next;
	e->next->prev = e->prev;
	list_init(e);
}

/* Moves every element of `from` to the end of `to`. */
static inline void
list_splice(struct list *to, struct list *from)
{
	if (list_is_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	list_init(from);
}

#define LIST_ITEM(e, type, member) container_of(e, type, member)

/* Walks the list; the body must not remove the current element. */
#define LIST_FOREACH(e, head) \
	for ((e) = (head)->next; (e) != (head); (e) = (e)->next)

/* The same, and the body may remove or free the current element. */
#define LIST_FOREACH_SAFE(e, tmp, head) \
	for ((e) = (head)->next; (tmp) = (e)->next, (e) != (head); (e) = (tmp))

#endif
