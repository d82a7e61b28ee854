/* SPDX-License-Identifier: MIT */
/*
 * newest.c: the newest number from each origin.  Consecutive calls are mostly
 * about one origin, so that nothing is searched then.  Pure.
 */

#include "shared/base/newest.h"

/* The entry of the origin; made, with 0, when it is missing. */
static struct newest_of *
entry(struct newest *n, uint64_t origin)
{
	unsigned i;

	if (n->v[n->at].origin == origin)
		return &n->v[n->at];
	for (i = 0; i < NEWEST_ORIGINS && n->v[i].origin != origin;)
		i++;
	if (i == NEWEST_ORIGINS) {
		i = n->next;
		n->next = (n->next + 1) % NEWEST_ORIGINS;
		n->v[i] = (struct newest_of){ .origin = origin };
	}
	n->at = i;
	return &n->v[i];
}

bool
newest_raise(struct newest *n, uint64_t origin, uint64_t seq)
{
	struct newest_of *e = entry(n, origin);

	if (seq <= e->seq)
		return false;
	e->seq = seq;
	return true;
}
