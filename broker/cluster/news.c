/* SPDX-License-Identifier: MIT */
/*
 * news.c: knows the last event of each worker in the stream.  A worker's events
 * are appended in the order of their numbers, so all up to it have come.
 */

#include "broker/cluster/news.h"

bool
news_is(struct news *n, uint64_t origin, uint64_t seq)
{
	unsigned i = 0;

	while (i < NEWS_ORIGINS && n->v[i].origin != origin)
		i++;
	if (i == NEWS_ORIGINS) {
		i = n->next;
		n->next = (n->next + 1) % NEWS_ORIGINS;
		n->v[i].origin = origin;
		n->v[i].seq = 0;
	}
	if (seq <= n->v[i].seq)
		return false;
	n->v[i].seq = seq;
	return true;
}
