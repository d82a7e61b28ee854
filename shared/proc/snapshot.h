/* SPDX-License-Identifier: MIT */
#ifndef SHARED_PROC_SNAPSHOT_H
#define SHARED_PROC_SNAPSHOT_H

/*
 * Bytes that a process leaves for the next process of its role, in memory that
 * outlives it.  They are in no file and in no core dump.
 */

#include <stddef.h>

#include "shared/base/str.h"

#define SNAPSHOT_MAX (32u << 20) /* bytes; unused ones cost nothing */

struct snapshot;

/* Call before there are children; NULL with errno. */
struct snapshot *snapshot_map(void);
/* For a process that does not use it. */
void snapshot_unmap(struct snapshot *);
/*
 * Replaces the bytes and wipes the old ones.  The process may be killed at any
 * instruction: then they are the old ones or the new ones.  More than
 * SNAPSHOT_MAX, or p == NULL: removes them.  One process at a time.
 */
void snapshot_put(struct snapshot *, struct str bytes);
/* The bytes, in place; n == 0: there are none. */
struct str snapshot_get(const struct snapshot *);

#endif
