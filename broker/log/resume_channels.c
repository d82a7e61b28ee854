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
resume_channels_each(struct hash *h,
    void (*fn)(struct hash *, struct resume_channel *, uint64_t arg),
    uint64_t arg)
{
	struct hash_node *n, *next;

	for (n = hash_first(h); n != NULL; n = next) {
		next = hash_next(h, n);
		fn(h, container_of(n, struct resume_channel, node), arg);
	}
}

static void
remove_one(struct hash *h, struct resume_channel *c, uint64_t arg)
{
	UNUSED(arg);
	resume_channel_remove(h, c);
}

void
resume_channels_clear(struct hash *h)
{
	resume_channels_each(h, remove_one, 0);
	hash_clear(h);
}
