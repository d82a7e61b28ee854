/* SPDX-License-Identifier: MIT */
/*
 * watchdog.c: decides when a child is stuck.  SIGABRT comes first, because it
 * leaves a core; a child that does not react to it gets SIGKILL.  A master that
 * was stopped itself (a suspended machine) blames no child: the gap does not
 * count.  Pure: the clock is the caller's.
 */

#include "cli/master/watchdog.h"

#include <signal.h>

#include "shared/ipc/heartbeat.h"

void
watchdog_begin(struct watchdog *w, uint64_t now_ms)
{
	w->seen = heartbeat_read(w->counter);
	w->seen_ms = w->look_ms = now_ms;
	w->aborted = false;
}

int
watchdog_look(struct watchdog *w, uint64_t now_ms, unsigned stale_ms)
{
	uint64_t value = heartbeat_read(w->counter);
	uint64_t gap = now_ms - w->look_ms;

	w->look_ms = now_ms;
	if (gap > 2 * WATCHDOG_LOOK_MS)
		w->seen_ms += gap; /* we did not look, so we do not know */
	if (value != w->seen) {
		w->seen = value;
		w->seen_ms = now_ms;
		return 0;
	}
	if (now_ms < w->seen_ms + stale_ms)
		return 0;
	if (!w->aborted) {
		w->aborted = true;
		return SIGABRT;
	}
	return now_ms < w->seen_ms + stale_ms + WATCHDOG_KILL_MS ? 0 : SIGKILL;
}

bool
watchdog_is_late(const struct watchdog *w, uint64_t now_ms)
{
	return now_ms >= w->seen_ms + WATCHDOG_LOOK_MS &&
	    heartbeat_read(w->counter) == w->seen;
}
