/* SPDX-License-Identifier: MIT */
/*
 * timing.c: how long Redis takes, and how far its clock is from that of this
 * host.  Nothing in a cluster depends on the clock, but signatures, times in
 * webhooks and certificates do.  Must never change anything but what is shown.
 */

#include "broker/cluster/timing.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "broker/cluster/inside.h"
#include "shared/base/clock.h"
#include "shared/base/log.h"

#define SLOW_US UINT64_C(1000000)
#define WRONG_MS 10000 /* of the clock */

static const char *
ahead(int64_t ms)
{
	return ms > 0 ? "ahead of" : "behind";
}

void
timing_clock(struct cluster *cl, const char *id, uint64_t us)
{
	int64_t now = (int64_t)(clock_us(CLOCK_REALTIME) / 1000);
	bool wrong;

	if (us > SLOW_US)
		return;
	cl->clock_error = now - strtoll(id, NULL, 10);
	wrong = llabs(cl->clock_error) > WRONG_MS;
	if (wrong && !cl->wrong_clock)
		log_warnx("cluster: the clock of this host is %lld s %s that "
			  "of Redis: set both by NTP",
		    llabs(cl->clock_error) / 1000, ahead(cl->clock_error));
	else if (!wrong && cl->wrong_clock)
		log_info("cluster: the clock of this host is right again");
	cl->wrong_clock = wrong;
}

void
timing_entry(struct cluster *cl)
{
	uint64_t us = clock_us(CLOCK_MONOTONIC) - cl->sent_us;
	bool slow = us > SLOW_US;

	stats_observe(&cl->append, stats_bounds_short, us);
	timing_clock(cl, cl->at.id, us);
	if (slow != cl->slow)
		log_info("cluster: Redis %s: an entry took %" PRIu64 " ms",
		    slow ? "is slow" : "is as fast as before", us / 1000);
	cl->slow = slow;
}
