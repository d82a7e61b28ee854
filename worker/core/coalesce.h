/* SPDX-License-Identifier: MIT */
#ifndef WORKER_CORE_COALESCE_H
#define WORKER_CORE_COALESCE_H

/*
 * When a worker writes to its clients: at the end of the turn, or under load a
 * little later, since each event that comes meanwhile shares the system calls.
 */

#include <stdbool.h>
#include <stdint.h>

struct coalesce {
	/* Since the last flush: */
	uint32_t nevents; /* events delivered */
	uint32_t fanout;  /* deliveries queued */
	uint32_t ndirty;  /* sockets that got something */

	uint32_t expected; /* events; below 2: they come one at a time */
	uint64_t since;    /* us; it waits; 0: it does not */
	uint64_t news;     /* as last given to coalesce_waits() */
	uint64_t news_at;  /* us; when that grew */
	uint32_t idle;     /* turns since then */
};

/* May waiting save more calls than it delays?  nworkers: at least 1. */
bool coalesce_pays(const struct coalesce *, unsigned nworkers);
/*
 * True while the flush must wait; for one that pays.  news: a number that grows
 * with all that comes.  now: us of a clock that never goes back, not 0.
 */
bool coalesce_waits(
    struct coalesce *, unsigned nworkers, uint64_t news, uint64_t now);
/* Does the flush write to few clients, so that the broker may wait for it? */
bool coalesce_is_short(const struct coalesce *);
/* The flush begins. */
void coalesce_end(struct coalesce *);

#endif
