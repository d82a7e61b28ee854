/* SPDX-License-Identifier: MIT */
#ifndef SHARED_BASE_SHM_H
#define SHARED_BASE_SHM_H

#include <stddef.h>

/*
 * n bytes of memory, all 0, that this process shares with the children that
 * it forks from now on; NULL with errno.
 */
void *shm_map(size_t n);

#endif
