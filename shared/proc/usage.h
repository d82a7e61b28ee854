/* SPDX-License-Identifier: MIT */
#ifndef SHARED_PROC_USAGE_H
#define SHARED_PROC_USAGE_H

/*
 * What a process uses of the machine.  The master has no link to the broker:
 * it writes its numbers into memory that its children share.
 */

#include <stdint.h>

struct memory;

struct usage {
	uint64_t cpu_us; /* processor time, microseconds */
	uint64_t memory; /* resident bytes */
};

/* Microseconds of processor time of this process, with its threads. */
uint64_t usage_cpu_us(void);
/* Survives fork(2); NULL with errno. */
struct usage *usage_map(void);
/* Writes down what this process uses. */
void usage_put(struct usage *, const struct memory *);
/* What was written last; zeros without a place (NULL). */
void usage_get(const struct usage *, struct usage *out);

#endif
