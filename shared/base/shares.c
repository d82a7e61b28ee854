/* SPDX-License-Identifier: MIT */
/*
 * shares.c: how much of a table each app holds.  Owns struct share; the entries
 * are the table's.  The largest share is remembered together with the size of
 * the second one, so that most evictions need no search.  Pure.  Must never
 * decide when an entry is evicted.
 */

#include "shared/base/shares.h"

#include <stdlib.h>

#include "shared/base/base.h"
#include "shared/base/xmalloc.h"

struct share *
shares_find(const struct shares *ss, uint32_t app)
{
	struct hash_node *n = hash_find_u64(&ss->by_app, app);

	return n == NULL ? NULL : container_of(n, struct share, node);
}

struct share *
shares_get(struct shares *ss, uint32_t app)
{
	struct share *s = shares_find(ss, app);

	if (s != NULL)
		return s;
	s = xcalloc(1, sizeof(*s));
	s->app = app;
	list_init(&s->entries);
	hash_insert(&ss->by_app, &s->node, hash_u64(app));
	return s;
}

void
shares_add(struct shares *ss, struct share *s, uint64_t n)
{
	ss->held += n;
	s->held += n;
	if (ss->top == NULL || s == ss->top)
		return;
	if (s->held > ss->top->held) {
		ss->floor = ss->top->held;
		ss->top = s;
	} else {
		ss->floor = MAX(ss->floor, s->held);
	}
}

void
shares_sub(struct shares *ss, struct share *s, uint64_t n)
{
	n = MIN(s->held, n);
	ss->held -= n;
	s->held -= n;
	if (s->held > 0)
		return;
	if (ss->top == s)
		ss->top = NULL;
	hash_remove(&ss->by_app, &s->node);
	free(s);
}

void
shares_add_app(struct shares *ss, uint32_t app, uint64_t n)
{
	if (n > 0)
		shares_add(ss, shares_get(ss, app), n);
}

void
shares_sub_app(struct shares *ss, uint32_t app, uint64_t n)
{
	struct share *s = shares_find(ss, app);

	if (s != NULL)
		shares_sub(ss, s, n);
}

uint64_t
shares_held(const struct shares *ss, uint32_t app)
{
	const struct share *s = shares_find(ss, app);

	return s == NULL ? 0 : s->held;
}

bool
shares_may_add(const struct shares *ss, uint32_t app, uint64_t n, uint64_t max)
{
	return shares_have_room(shares_held(ss, app) + n, ss->held + n, max);
}

struct share *
shares_largest(struct shares *ss)
{
	struct hash_node *n;

	if (ss->top != NULL && ss->top->held >= ss->floor)
		return ss->top;
	ss->top = NULL;
	ss->floor = 0;
	HASH_FOREACH(n, &ss->by_app) {
		struct share *s = container_of(n, struct share, node);

		if (ss->top == NULL || s->held > ss->top->held) {
			ss->floor = ss->top == NULL ? 0 : ss->top->held;
			ss->top = s;
		} else {
			ss->floor = MAX(ss->floor, s->held);
		}
	}
	return ss->top;
}

void
shares_clear(struct shares *ss)
{
	struct hash_node *n, *next;

	HASH_FOREACH_SAFE(n, next, &ss->by_app)
		free(container_of(n, struct share, node));
	hash_clear(&ss->by_app);
	*ss = (struct shares){ 0 };
}
