/* SPDX-License-Identifier: MIT */
#ifndef SHARED_PROC_PROC_USAGE_H
#define SHARED_PROC_PROC_USAGE_H

/*
 * CPU and memory that a process uses.  The master has no link to the broker:
 * it writes its numbers into memory that its children share.
 */

#include <stdint.h>

struct memory;

struct proc_usage {
	uint64_t cpu_us; /* processor time, microseconds */
	uint64_t memory; /* resident bytes */
};

/* Microseconds of processor time of this process, with its threads. */
uint64_t proc_usage_cpu_us(void);
/* Survives fork(2); NULL with errno. */
struct proc_usage *proc_usage_map(void);
/* Stores the present use of this process. */
void proc_usage_put(struct proc_usage *, const struct memory *);
/* The stored values; zeros without a place (NULL). */
void proc_usage_get(const struct proc_usage *, struct proc_usage *out);

#endif
