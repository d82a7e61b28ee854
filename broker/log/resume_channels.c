/* SPDX-License-Identifier: MIT */
/*
 * resume_channels.c: the channels of one resumable session as a table.  Owns
 * its elements.  A client may come back with thousands of channels and enters
 * them one by one, so each must be found without a search.
 */

#include "broker/log/resume_channels.h"

#include <stdlib.h>

#include "shared/base/base.h"
#include "shared/base/xmalloc.h"

struct resume_channel *
resume_channel_find(const struct hash *h, uint64_t hash)
{
	struct hash_node *n = hash_find(h, hash, hash_any, NULL);

	return n == NULL ? NULL : container_of(n, struct resume_channel, node);
}

struct resume_channel *
resume_channel_get(struct hash *h, uint64_t hash)
{
	struct resume_channel *c = resume_channel_find(h, hash);

	if (c == NULL) {
		c = xcalloc(1, sizeof(*c));
		hash_insert(h, &c->node, hash);
	}
	return c;
}

void
resume_channel_remove(struct hash *h, struct resume_channel *c)
{
	hash_remove(h, &c->node);
	free(c);
}

void
resume_channels_lose(struct hash *h)
{
	struct hash_node *n;

	for (n = hash_first(h); n != NULL; n = hash_next(h, n)) {
		struct resume_channel *c =
		    container_of(n, struct resume_channel, node);

		c->from = c->at = 0;
	}
}

uint64_t
resume_channel_has(const struct resume_channel *c, uint64_t acked)
{
	return c->now && acked >= c->at ? acked : c->from;
}

bool
resume_channels_settle(struct hash *h, uint64_t acked)
{
	struct hash_node *n;
	bool any = false;

	for (n = hash_first(h); n != NULL; n = hash_next(h, n)) {
		struct resume_channel *c =
		    container_of(n, struct resume_channel, node);

		if (c->now) {
			c->from = resume_channel_has(c, acked);
			c->now = false;
			c->at = c->from;
		}
		any = any || c->from != 0;
	}
	return any;
}

static void
drop(struct hash *h, bool all)
{
	struct hash_node *n, *next;

	for (n = hash_first(h); n != NULL; n = next) {
		struct resume_channel *c =
		    container_of(n, struct resume_channel, node);

		next = hash_next(h, n);
		if (all || !c->now)
			resume_channel_remove(h, c);
	}
}

void
resume_channels_drop_unused(struct hash *h)
{
	drop(h, false);
}

void
resume_channels_clear(struct hash *h)
{
	drop(h, true);
	hash_clear(h);
}
