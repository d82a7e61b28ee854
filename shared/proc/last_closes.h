/* SPDX-License-Identifier: MIT */
#ifndef SHARED_PROC_LAST_CLOSES_H
#define SHARED_PROC_LAST_CLOSES_H

/*
 * The last connections that ended.  When there is no room, the app with most of
 * them loses its oldest: a flood pushes out only its own app's.
 */

#include <stdbool.h>
#include <stdint.h>

#include "shared/base/list.h"
#include "shared/base/shares.h"
#include "shared/proc/stats.h"

#define LAST_CLOSES_MAX 1000

struct last_closes {
	struct last_close *v; /* LAST_CLOSES_MAX; NULL until the first */
	struct list in_order; /* the n that are in use, the oldest first */
	struct shares by_app;
	uint32_t n;
};

/* The next one takes the place of another one. */
static inline bool
last_closes_is_full(const struct last_closes *l)
{
	return l->n == LAST_CLOSES_MAX;
}

/* A record of this app, for the caller to fill, except `app`. */
struct stats_close *last_closes_add(struct last_closes *, uint32_t app);
/* The one that ended after c, or the oldest; NULL: there is none. */
const struct stats_close *last_closes_after(
    const struct last_closes *, const struct stats_close *c);
/* The one that ended before c, or the newest; NULL: there is none. */
const struct stats_close *last_closes_before(
    const struct last_closes *, const struct stats_close *c);
/* Forgets all, and keeps the memory. */
void last_closes_empty(struct last_closes *);
void last_closes_clear(struct last_closes *);

#endif
