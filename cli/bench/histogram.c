/* SPDX-License-Identifier: MIT */
/*
 * histogram.c: counts of times in log-linear slots.  Pure.  Values below 64 ns
 * have a slot each; above, each power of two is cut into 64 steps.
 */

#include "cli/bench/histogram.h"

#include "shared/base/base.h"

static unsigned
slot_of(uint64_t v)
{
	unsigned shift, slot;

	if (v < 64)
		return (unsigned)v;
	shift = 63 - (unsigned)__builtin_clzll(v) - 6;
	slot = (shift + 1) * 64 + (unsigned)((v >> shift) - 64);
	return MIN(slot, HISTOGRAM_SLOTS - 1);
}

static uint64_t
value_of(unsigned slot)
{
	unsigned shift;

	if (slot < 64)
		return slot;
	shift = slot / 64 - 1;
	return ((uint64_t)(slot % 64) + 64) << shift;
}

void
histogram_add(struct histogram *h, uint64_t ns)
{
	h->n++;
	h->max = MAX(h->max, ns);
	h->slot[slot_of(ns)]++;
}

uint64_t
histogram_at(const struct histogram *h, double share)
{
	uint64_t want = (uint64_t)(share * (double)h->n + 0.5), seen = 0;

	if (h->n == 0)
		return 0;
	want = MAX(want, 1);
	for (unsigned i = 0; i < HISTOGRAM_SLOTS; i++) {
		seen += h->slot[i];
		if (seen >= want)
			return MIN(value_of(i), h->max);
	}
	return h->max;
}
