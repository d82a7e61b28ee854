/* SPDX-License-Identifier: MIT */
#ifndef BROKER_COURIER_CLAIM_H
#define BROKER_COURIER_CLAIM_H

/*
 * The outbox, and the history beside it, belong to one courier at a time: the
 * one that holds the lock on <outbox>.lock.  The kernel releases the lock when
 * that process ends, however it ends.
 */

#include <stdbool.h>

/*
 * Takes the lock; *fd keeps it (-1 before the first call), and does so until
 * the process ends.  0, or -1 and *why: a sentence that says which process and
 * which runtime_dir have it; free(3) it.
 */
int claim_take(
    int *fd, const char *outbox, const char *runtime_dir, char **why);
/* Closes it. */
void claim_drop(int *fd);

#endif
