/* SPDX-License-Identifier: MIT */
#ifndef CLI_MASTER_WATCHDOG_H
#define CLI_MASTER_WATCHDOG_H

/* The master's record of whether a child's loop turns. */

#include <stdbool.h>
#include <stdint.h>

#define WATCHDOG_LOOK_MS 500u
#define WATCHDOG_STALE_MS 5000u  /* without a sign: SIGABRT */
#define WATCHDOG_START_MS 30000u /* the same, before it is ready */
#define WATCHDOG_KILL_MS 1000u   /* after that: SIGKILL */

struct watchdog {
	const uint64_t *counter;
	uint64_t seen;    /* its value at the last look */
	uint64_t seen_ms; /* when it changed */
	uint64_t look_ms; /* the last look */
	bool aborted;     /* SIGABRT has been sent */
};

/* The child has just been started. */
void watchdog_begin(struct watchdog *, uint64_t now_ms);
/*
 * The signal for the child now: 0, SIGABRT, SIGKILL, when it has given no sign
 * for stale_ms.  Only time in which the master itself ran counts.
 */
int watchdog_look(struct watchdog *, uint64_t now_ms, unsigned stale_ms);

/* Has it missed two beats?  Most likely it is not running at this moment. */
bool watchdog_is_late(const struct watchdog *, uint64_t now_ms);

#endif
