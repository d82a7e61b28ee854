/* SPDX-License-Identifier: MIT */
/*
 * conn_table.c: the table of all connections by socket id, and the list of
 * those that are clients of an app.  Code that outlives a turn keeps a socket
 * id and looks the connection up here.  Must never return a closed one.
 */

#include "worker/conn/conn.h"

#include "shared/proc/proc.h"
#include "worker/core/core.h"

/* An unpredictable number that is not in use. */
static uint64_t
new_sid(struct worker *w)
{
	uint64_t sid;

	do {
		if (w->nsids == 0) {
			proc_random_many(w->sids, nitems(w->sids));
			w->nsids = nitems(w->sids);
		}
		sid = w->sids[--w->nsids];
	} while (sid == 0 || conn_find(w, sid) != NULL);
	return sid;
}

void
conn_name(struct conn *c, uint64_t sid)
{
	hash_insert(&c->w->conns, &c->node, sid != 0 ? sid : new_sid(c->w));
	c->w->nconns++;
}

/* Is a cursor there? */
static bool
is_stood_on(const struct conn *c)
{
	struct list *e;

	LIST_FOREACH(e, &c->w->cursors)
		if (LIST_ITEM(e, struct conn_cursor, link)->sid == conn_sid(c))
			return true;
	return false;
}

/* No list and no pointer may lead to it any more. */
static void
check_forgotten(const struct conn *c)
{
	assert(list_is_empty(&c->client) && list_is_empty(&c->timeout.link));
	assert(list_is_empty(&c->subs) && c->nsubs == 0);
	assert(c->http == NULL && c->part == NULL && c->signins == NULL);
	assert(!is_stood_on(c));
}

void
conn_unname(struct conn *c)
{
	if (MAGIC_SEARCH)
		check_forgotten(c);
	hash_remove(&c->w->conns, &c->node);
	c->w->nconns--;
}

struct conn *
conn_find(struct worker *w, uint64_t sid)
{
	struct hash_node *n = hash_find(&w->conns, sid, NULL, NULL);
	struct conn *c = n == NULL ? NULL : CONN_OF(n, node);

	return c == NULL || c->state == CONN_CLOSED ? NULL : c;
}

void
conn_enlist(struct conn *c)
{
	list_append(&c->w->clients, &c->client);
}

void
conn_delist(struct conn *c)
{
	struct list *next = c->client.next, *e;

	if (list_is_empty(&c->client))
		return;
	LIST_FOREACH(e, &c->w->cursors) {
		struct conn_cursor *at = LIST_ITEM(e, struct conn_cursor, link);

		if (at->sid == conn_sid(c))
			at->sid = next == &c->w->clients
			    ? 0
			    : conn_sid(CONN_OF(next, client));
	}
	list_remove(&c->client);
}
