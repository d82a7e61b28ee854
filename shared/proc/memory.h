/* SPDX-License-Identifier: MIT */
#ifndef SHARED_PROC_MEMORY_H
#define SHARED_PROC_MEMORY_H

/* How much memory the server may use, and how much this process uses. */

#include <stdbool.h>
#include <stdint.h>

struct memory {
	int fd; /* /proc/self/statm, or -1 */
};

/*
 * The memory that this machine, or the control group (version 2 or 1), grants
 * the server: the smallest limit in bytes, or 0 when that cannot be found out.
 */
uint64_t memory_available(void);
/*
 * The parts of memory_limit, in sixteenths: all workers together, and the
 * broker; the rest is for the master and the courier.
 */
enum memory_part { MEMORY_WORKERS = 10, MEMORY_BROKER = 4 };
/*
 * Bytes of a part.  limit: the option, 0 = three quarters of the available
 * memory; returns 0 if no limit is known.
 */
uint64_t memory_share(
    uint64_t limit, uint64_t available, enum memory_part part);
/* How many workers have room for clients in this memory; at least 1. */
unsigned memory_workers(uint64_t limit, uint64_t available);
/* The least limit with which so many workers can take clients. */
uint64_t memory_least(unsigned nworkers);
/* Opens what memory_used() reads. */
void memory_init(struct memory *);
void memory_free(struct memory *);
/* Are resident bytes known?  Not without /proc. */
bool memory_is_known(const struct memory *);
/* Resident bytes now, or else allocated bytes. */
uint64_t memory_used(const struct memory *);
/*
 * From now on this process may allocate so many bytes more (setrlimit(2),
 * RLIMIT_DATA): then malloc() fails.  -1: it may have all.
 */
int memory_confine(uint64_t bytes);

#endif
