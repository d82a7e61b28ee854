/* SPDX-License-Identifier: MIT */
/*
 * pulse.c: a child's sign of life for the master.  A loop that hangs in an
 * endless computation, or in a call that never returns, raises nothing; the
 * master then puts another process into its place (cli/master/watchdog.c).
 */

#include "shared/role/pulse.h"

#include <stddef.h>

#include "shared/base/base.h"
#include "shared/base/shm.h"
#include "shared/proc/proc.h"

uint64_t *
pulse_map(unsigned n)
{
	return shm_map(n * sizeof(uint64_t));
}

uint64_t
pulse_read(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

void
pulse_beat(struct pulse *p)
{
	if (p->counter != NULL)
		__atomic_fetch_add(p->counter, 1, __ATOMIC_RELAXED);
}

static void
on_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
	UNUSED(loop);
	UNUSED(revents);
	pulse_beat(container_of(timer, struct pulse, timer));
}

void
pulse_start(struct pulse *p, struct ev_loop *loop, uint64_t *counter)
{
	p->counter = counter;
	ev_timer_init(&p->timer, on_timer, 0., PULSE_SECONDS);
	if (counter != NULL)
		ev_timer_start(loop, &p->timer);
}

void
pulse_stop(struct pulse *p, struct ev_loop *loop)
{
	ev_timer_stop(loop, &p->timer);
}
