/* SPDX-License-Identifier: MIT */
#ifndef WORKER_CONN_TIMEOUT_H
#define WORKER_CONN_TIMEOUT_H

/*
 * Timeouts of connections: one list per duration, one timer for the head of
 * each, so that setting, touching and clearing are O(1) (libev manual, "Be
 * smart about timeouts").  Monotonic time.
 */

#include <ev.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/list.h"

struct conn;
struct worker;

struct timeout_list {
	uint32_t seconds;
	struct list conns; /* by due time */
	ev_timer timer;    /* for the first one */
	struct worker *w;
};

struct timeouts {
	struct timeout_list **v; /* one for each duration ever asked for */
	size_t n;
};

/* (Re)starts the connection's timeout; 0 seconds clears it. */
void timeout_set(struct worker *, struct conn *, uint32_t seconds);
/* Starts the same duration anew; nothing when none is set. */
void timeout_touch(struct worker *, struct conn *);
void timeout_clear(struct conn *);
void timeouts_free(struct worker *);

#endif
