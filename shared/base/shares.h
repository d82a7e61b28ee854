/* SPDX-License-Identifier: MIT */
#ifndef SHARED_BASE_SHARES_H
#define SHARED_BASE_SHARES_H

/*
 * A bounded table that all apps share: how much of it each app holds.  An app
 * may have all that is free; when there is no room, the app that holds most
 * loses its own.
 */

#include <stdint.h>

#include "shared/base/hash.h"
#include "shared/base/list.h"

/* One app's part; it exists while the app holds something. */
struct share {
	struct hash_node node;
	uint32_t app;
	uint64_t bytes;
	struct list entries; /* of the table's own kind, the first goes first */
};

struct shares {
	struct hash by_app;
	struct share *top; /* holds most, as long as it has more than floor */
	uint64_t floor;    /* what the second one held */
};

/* The app's share; made when it is missing. */
struct share *shares_get(struct shares *, uint32_t app);
/* The app's share, or NULL. */
struct share *shares_find(const struct shares *, uint32_t app);
/* It holds so many bytes more. */
void shares_add(struct shares *, struct share *, uint64_t bytes);
/* It holds so many bytes less; frees it when nothing is left. */
void shares_sub(struct shares *, struct share *, uint64_t bytes);
/* The share of the app that holds most, or NULL. */
struct share *shares_largest(struct shares *);
void shares_clear(struct shares *);

#endif
