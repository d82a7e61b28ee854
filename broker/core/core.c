/* SPDX-License-Identifier: MIT */
/*
 * core.c: shared by all modules of the broker: the clock and a scratch buffer.
 * Owns br->scratch.  Must never include another module of the broker.
 */

#include "broker/core/core.h"

#include "shared/base/buf.h"
#include "shared/base/clock.h"

#define SCRATCH_KEEP (1u << 20) /* bytes; a larger scratch buf is freed */

double
broker_now(void)
{
	return clock_seconds(CLOCK_MONOTONIC);
}

struct buf **
broker_scratch(struct broker *br)
{
	if (br->scratch != NULL && br->scratch->cap > SCRATCH_KEEP) {
		buf_unref(br->scratch);
		br->scratch = NULL;
	}
	if (br->scratch == NULL)
		br->scratch = buf_new(4096);
	br->scratch->len = 0;
	return &br->scratch;
}
