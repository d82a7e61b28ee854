/* SPDX-License-Identifier: MIT */
#ifndef SHARED_BASE_SHARES_H
#define SHARED_BASE_SHARES_H

/*
 * A bounded table that all apps share: how much of it each app holds.  An app
 * may use all free room; when there is none, the app that holds most loses its
 * own entries.
 */

#include <stdbool.h>
#include <stdint.h>

#include "shared/base/hash.h"
#include "shared/base/list.h"

/* One app's part; it exists while the app holds something. */
struct share {
	struct hash_node node;
	uint32_t app;
	uint64_t held;       /* bytes, or what else the table counts */
	struct list entries; /* of the table's own kind, the first goes first */
};

struct shares {
	struct hash by_app;
	uint64_t held;     /* by all apps together */
	struct share *top; /* holds most while it has more than floor */
	uint64_t floor;    /* the size of the second one */
};

/* The app's share; made when it is missing. */
struct share *shares_get(struct shares *, uint32_t app);
/* The app's share, or NULL. */
struct share *shares_find(const struct shares *, uint32_t app);
void shares_add(struct shares *, struct share *, uint64_t n);
/* Frees the share when nothing is left. */
void shares_sub(struct shares *, struct share *, uint64_t n);
/* The same by app, for a table that lists no entries. */
void shares_add_app(struct shares *, uint32_t app, uint64_t n);
void shares_sub_app(struct shares *, uint32_t app, uint64_t n);
uint64_t shares_held(const struct shares *, uint32_t app);
/*
 * For a table that drops nothing of an app for another one: an app that holds
 * `own`, of `all` together, may have at most half of what the others leave, so
 * that there is always room for another app.
 */
static inline bool
shares_have_room(uint64_t own, uint64_t all, uint64_t max)
{
	return own + all <= max;
}
/* May the app hold n more, by this rule? */
bool shares_may_add(
    const struct shares *, uint32_t app, uint64_t n, uint64_t max);
/* The share of the app that holds most, or NULL. */
struct share *shares_largest(struct shares *);
void shares_clear(struct shares *);

#endif
