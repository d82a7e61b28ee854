/* SPDX-License-Identifier: MIT */
/*
 * news.c: knows the last event of each worker in the stream.  A worker's events
 * are appended in the order of their numbers, so all up to it have come.
 */

#include "broker/cluster/news.h"

#include <stdlib.h>

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

void
news_note(struct news *n, const char *text)
{
	uint64_t origin, seq;
	char *end;

	for (;; text = end) {
		origin = strtoull(text, &end, 16);
		seq = strtoull(end, &end, 10);
		if (origin == 0 || seq == 0)
			return;
		news_is(n, origin, seq);
	}
}
