/* SPDX-License-Identifier: MIT */
#ifndef SHARED_PROC_CGROUP_H
#define SHARED_PROC_CGROUP_H

/*
 * The limits of this process's control group, version 2 or 1 (cgroups(7)), and
 * of all groups around it: the smallest of each; 0: there is none.
 */

#include <stdint.h>

#include "shared/base/base.h"

struct cgroup {
	uint64_t memory; /* bytes */
	unsigned cores;  /* processor time in a second, rounded up */
};

/* Of two limits; 0: there is none. */
static inline uint64_t
cgroup_smaller(uint64_t a, uint64_t b)
{
	return a == 0 ? b : b == 0 ? a : MIN(a, b);
}
/* root: "", or a directory in place of /. */
struct cgroup cgroup_read(const char *root);

#endif
