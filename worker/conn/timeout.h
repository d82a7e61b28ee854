/* SPDX-License-Identifier: MIT */
#ifndef WORKER_CONN_TIMEOUT_H
#define WORKER_CONN_TIMEOUT_H

/*
 * Timeouts: one list per duration, one timer for the head of each, so that
 * setting, touching and clearing are O(1) (libev manual, "Be smart about
 * timeouts").  Monotonic time.
 */

#include <ev.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/list.h"

struct worker;

/* One timeout, which lies inside its owner.  list_init(&t->link) makes it. */
struct timeout {
	struct list link;
	struct timeout_list *list; /* the list it is in, or NULL */
	double due;                /* when it fires */
};

struct timeout_list {
	uint32_t seconds;
	struct list members; /* by due time */
	ev_timer timer;      /* for the first one */
	struct list *behind; /* the next restored one is not before this */
	struct worker *w;
};

struct timeouts {
	struct timeout_list **v; /* one for each duration ever used */
	size_t n;
	void (*fire)(struct timeout *); /* its time has passed; not set now */
};

/* (Re)starts it; 0 seconds clears it. */
void timeout_set(struct worker *, struct timeout *, uint32_t seconds);
/* Restarts the same duration; nothing when none is set. */
void timeout_touch(struct timeout *);
void timeout_clear(struct timeout *);
/*
 * As it was in another process; they come in the order of their lists, from
 * timeouts_restore() on.
 */
void timeouts_restore(struct worker *);
void timeout_restore(
    struct worker *, struct timeout *, uint32_t seconds, double due);
/*
 * The one that was started first of those with this duration, or the next one;
 * NULL: there is none.
 */
struct timeout *timeout_oldest(const struct worker *, uint32_t seconds);
struct timeout *timeout_next(const struct timeout *);
/* When it was last started; 0: it is not set. */
static inline double
timeout_started(const struct timeout *t)
{
	return t->list == NULL ? 0 : t->due - t->list->seconds;
}
void timeouts_free(struct worker *);

#endif
