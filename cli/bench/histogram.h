/* SPDX-License-Identifier: MIT */
#ifndef CLI_BENCH_HISTOGRAM_H
#define CLI_BENCH_HISTOGRAM_H

/*
 * A histogram of times with a relative error below 1 %: 64 steps for each
 * power of two of nanoseconds.
 */

#include <stdint.h>

#define HISTOGRAM_SLOTS (64 * 42)

struct histogram {
	uint64_t n, max;
	uint64_t slot[HISTOGRAM_SLOTS];
};

void histogram_add(struct histogram *, uint64_t ns);
/* The value in ns below which this share (0..1) lies; 0 when empty. */
uint64_t histogram_at(const struct histogram *, double share);

#endif
