/* SPDX-License-Identifier: MIT */
#ifndef BROKER_COURIER_OUTBOX_LOCK_H
#define BROKER_COURIER_OUTBOX_LOCK_H

/*
 * The outbox, and the history beside it, belong to one courier at a time: the
 * one that holds the lock on <outbox>.lock.  The kernel releases the lock when
 * that process ends, however it ends.
 */

#include <stdbool.h>

/*
 * Takes the lock; *fd holds it (-1 before the first call) until the process
 * ends.  0, or -1 and *why: a sentence that names the process and the
 * runtime_dir of the holder; free(3) it.
 */
int outbox_lock_take(
    int *fd, const char *outbox, const char *runtime_dir, char **why);
/* Closes it. */
void outbox_lock_drop(int *fd);

#endif
