/* SPDX-License-Identifier: MIT */
#ifndef SHARED_BASE_SHM_H
#define SHARED_BASE_SHM_H

/*
 * Memory that a process shares with its children, and with the program that
 * takes its place by exec(2).
 */

#include <stddef.h>
#include <stdint.h>

#define SHM_NAME_MAX 16

struct shm_area {
	char name[SHM_NAME_MAX];
	int32_t fd; /* -1: it cannot be handed over */
	uint64_t n;
};

/*
 * n bytes that this process shares with the children that it forks from now
 * on: all 0, or what the program before this one has left under that name.
 * NULL with errno; EBADMSG: the bytes that were left are of another size.
 */
void *shm_map(const char *name, size_t n);
/* The next shm_map() of this name takes these bytes. */
void shm_inherit(const struct shm_area *);
/* All areas of this process; *n: how many. */
const struct shm_area *shm_areas(size_t *n);

#endif
