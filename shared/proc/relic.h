/* SPDX-License-Identifier: MIT */
#ifndef SHARED_PROC_RELIC_H
#define SHARED_PROC_RELIC_H

/*
 * Bytes in memory that outlives the process that has put them there, for the
 * next one of its role.  They are in no file and in no core dump.
 */

#include <stddef.h>

#include "shared/base/str.h"

#define RELIC_MAX (32u << 20) /* bytes; only those that are used count */

struct relic;

/* Before there are children; NULL with errno. */
struct relic *relic_map(void);
/* In a process that has no business with it. */
void relic_unmap(struct relic *);
/*
 * Replaces the bytes and wipes those before.  The process may be killed at any
 * instruction: then they are the old ones or the new ones.  More than
 * RELIC_MAX, or p == NULL: there are none any more.  One process at a time.
 */
void relic_put(struct relic *, struct str bytes);
/* They stay where they are; n == 0: there are none. */
struct str relic_get(const struct relic *);

#endif
