/* SPDX-License-Identifier: MIT */
#ifndef BROKER_LINK_ALIVE_H
#define BROKER_LINK_ALIVE_H

/*
 * Which links are alive: silence ends one, and so does a long queue that does
 * not move.  A queue over its bound that moves stops what fills it.
 */

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

struct broker;

#define ALIVE_PING 5. /* seconds */

struct alive {
	unsigned silent; /* pings in a row during which it showed no life */
	bool blocked;    /* at the last ping its socket was full */
	uint64_t heard;  /* messages of it, at the last ping */
	uint64_t read;   /* bytes that it had taken then */
	unsigned still;  /* ticks over the bound in which it took nothing */
	uint64_t taken;  /* bytes, at the last tick */
};

/* Every ALIVE_PING seconds; drops who shows no life. */
void alive_on_ping_timer(struct ev_loop *, ev_timer *, int);
/* Once a second: drops who has too much to read and does not read. */
void alive_tick(struct broker *);
/* Has some worker too much to read?  Then br->links->congested is set. */
void alive_check_queues(struct broker *);

#endif
