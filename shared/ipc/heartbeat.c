/* SPDX-License-Identifier: MIT */
/*
 * heartbeat.c: a child's sign of life for the master.  A loop that hangs in an
 * endless computation, or in a call that never returns, raises nothing; the
 * master then replaces the process (cli/master/watchdog.c).
 */

#include "shared/ipc/heartbeat.h"

#include <stddef.h>

#include "shared/base/base.h"
#include "shared/base/shm.h"

uint64_t *
heartbeat_map(unsigned n)
{
	return shm_map("heartbeats", n * sizeof(uint64_t));
}

uint64_t
heartbeat_read(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

void
heartbeat_beat(struct heartbeat *p)
{
	if (p->counter != NULL)
		__atomic_fetch_add(p->counter, 1, __ATOMIC_RELAXED);
}

static void
on_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
	heartbeat_beat(container_of(timer, struct heartbeat, timer));
}

void
heartbeat_start(struct heartbeat *p, struct ev_loop *loop, uint64_t *counter)
{
	p->counter = counter;
	ev_timer_init(&p->timer, on_timer, 0., HEARTBEAT_SECONDS);
	if (counter != NULL)
		ev_timer_start(loop, &p->timer);
}
