/* SPDX-License-Identifier: MIT */
/*
 * session_pool.c: memory of open sessions, in blocks.  Owns them.  Thousands of
 * sessions are open for a moment when many clients come or get the same event;
 * in the heap they would leave gaps between the connections.  A block without a
 * session is freed, and the lowest blocks are filled first.
 */

#include "worker/session/session_pool.h"

#include <assert.h>
#include <stdlib.h>

#include "shared/base/base.h"
#include "shared/base/xmalloc.h"

static struct session_block *
block_with_room(struct session_pool *p)
{
	struct session_block *b;

	while (p->room < p->n && p->v[p->room] != NULL &&
	    p->v[p->room]->n == SESSION_BLOCK)
		p->room++;
	if (p->room == p->n) {
		p->v = xreallocarray(p->v, p->n + 1, sizeof(*p->v));
		p->v[p->n++] = NULL;
	}
	if (p->v[p->room] == NULL) {
		b = p->v[p->room] = xcalloc(1, sizeof(*b));
		list_init(&b->free);
	}
	return p->v[p->room];
}

uint32_t
session_pool_add(struct session_pool *p)
{
	struct session_block *b = block_with_room(p);
	struct open_session *o;
	size_t number;

	if (list_is_empty(&b->free)) {
		o = &b->v[b->touched++];
	} else {
		o = LIST_ITEM(b->free.next, struct open_session, asking);
		list_remove(&o->asking);
		*o = (struct open_session){ 0 };
	}
	list_init(&o->asking);
	b->n++;
	number = p->room * (size_t)SESSION_BLOCK + (size_t)(o - b->v) + 1;
	assert(number <= SESSION_OPEN_MAX);
	return (uint32_t)number;
}

void
session_pool_remove(struct session_pool *p, uint32_t number)
{
	uint32_t at = (number - 1) / SESSION_BLOCK;
	struct session_block *b = p->v[at];

	list_append(&b->free, &session_pool_at(p, number)->asking);
	p->room = MIN(p->room, at);
	if (--b->n > 0)
		return;
	free(b);
	p->v[at] = NULL;
}

void
session_pool_clear(struct session_pool *p)
{
	for (uint32_t i = 0; i < p->n; i++)
		free(p->v[i]);
	free(p->v);
	*p = (struct session_pool){ 0 };
}
