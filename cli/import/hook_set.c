/* SPDX-License-Identifier: MIT */
/*
 * hook_set.c: a set of webhooks, by app and by what they get.  Owns a copy of
 * each.
 */

#include "cli/import/hook_set.h"

#include <stdlib.h>
#include <string.h>

#include "shared/base/base.h"
#include "shared/base/xmalloc.h"

bool
import_is_same_hook(const struct webhook *a, const struct webhook *b)
{
	return a->mask == b->mask && strcmp(a->url, b->url) == 0 &&
	    strcmp(a->prefix, b->prefix) == 0 &&
	    strcmp(a->suffix, b->suffix) == 0 &&
	    strcmp(a->glob, b->glob) == 0 &&
	    strcmp(a->headers, b->headers) == 0;
}

struct element {
	struct hash_node node;
	struct webhook h;
};

static uint64_t
hash_of(const struct webhook *h)
{
	hash_seed();
	return hash_str(str_of(h->url), (uint64_t)h->app << 32 | h->mask);
}

static bool
is_same(const struct hash_node *n, const void *key)
{
	const struct element *e = container_of(n, const struct element, node);

	return e->h.app == ((const struct webhook *)key)->app &&
	    import_is_same_hook(&e->h, key);
}

bool
hook_set_has(const struct hook_set *s, const struct webhook *h)
{
	return hash_find(&s->hooks, hash_of(h), is_same, h) != NULL;
}

void
hook_set_add(struct hook_set *s, const struct webhook *h)
{
	struct element *e = xcalloc(1, sizeof(*e));

	webhook_copy(&e->h, h);
	hash_insert(&s->hooks, &e->node, hash_of(h));
}

void
hook_set_clear(struct hook_set *s)
{
	struct hash_node *n, *next;

	HASH_FOREACH_SAFE(n, next, &s->hooks) {
		struct element *e = container_of(n, struct element, node);

		hash_remove(&s->hooks, n);
		webhook_clear(&e->h);
		free(e);
	}
	hash_clear(&s->hooks);
}
