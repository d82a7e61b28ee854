/* SPDX-License-Identifier: MIT */
#ifndef CLI_MASTER_MASTER_H
#define CLI_MASTER_MASTER_H

/*
 * The master role: starts the group, watches it, replaces dead processes,
 * stops.
 */

struct master_start;

/*
 * Runs until a signal ends it and returns the exit code; in the children it
 * does not return.  No child is left when it returns.
 */
int master_run(struct master_start *);

#endif
