/* SPDX-License-Identifier: MIT */
/*
 * core.c: the clock of the courier, the moment of the next commit, and the
 * flag for an outbox that has failed.  Must never write to the outbox.
 */

#include "broker/courier/core.h"

#include <time.h>

#include "shared/app/outbox.h"
#include "shared/base/clock.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"

/*
 * Times in the outbox must have a meaning for the next courier, and a step of
 * the wall clock must neither delay an attempt nor end a delivery.  So this is
 * the wall clock at the first call, continued by the monotonic clock.
 */
uint64_t
courier_now_ms(void)
{
	static uint64_t ahead; /* of the monotonic clock */

	if (ahead == 0)
		ahead = clock_ms(CLOCK_REALTIME) - clock_ms(CLOCK_MONOTONIC);
	return clock_ms(CLOCK_MONOTONIC) + ahead;
}

void
courier_commit_soon(struct courier *c, double seconds)
{
	if (ev_is_active(&c->commit)) {
		if (ev_timer_remaining(c->loop, &c->commit) <= seconds)
			return;
		ev_timer_stop(c->loop, &c->commit);
	}
	ev_timer_set(&c->commit, seconds, 0.);
	ev_timer_start(c->loop, &c->commit);
}

bool
courier_has_outbox(const struct courier *c)
{
	return c->outbox != NULL && c->outbox_failed == NULL;
}

void
courier_outbox_failed(struct courier *c)
{
	if (courier_has_outbox(c))
		c->outbox_failed = xasprintf(
		    "%s: %s", c->conf->outbox, outbox_error(c->outbox));
}
