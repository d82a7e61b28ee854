/* SPDX-License-Identifier: MIT */
#ifndef SHARED_BASE_NEWEST_H
#define SHARED_BASE_NEWEST_H

/*
 * The newest number that has come from each sender (origin), so that a message
 * that is sent again is recognised.  A new origin takes the place of the one
 * that came first.
 */

#include <stdbool.h>
#include <stdint.h>

#define NEWEST_ORIGINS 128 /* 64 workers, and as many that are gone */

struct newest_of {
	uint64_t origin, seq; /* origin 0: free */
};

/* Zeroed at first. */
struct newest {
	struct newest_of v[NEWEST_ORIGINS];
	unsigned at;   /* the one that was used last */
	unsigned next; /* the one that a new origin replaces */
};

/*
 * True if this number is above all earlier ones of the origin, which is not 0.
 * From then on it is the newest one.
 */
bool newest_raise(struct newest *, uint64_t origin, uint64_t seq);

#endif
