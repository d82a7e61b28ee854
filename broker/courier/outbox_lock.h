/* SPDX-License-Identifier: MIT */
#ifndef BROKER_COURIER_OUTBOX_LOCK_H
#define BROKER_COURIER_OUTBOX_LOCK_H

/*
 * The outbox, and the history beside it, belong to one courier at a time: the
 * one that holds the locks on <outbox>.lock and on the outbox itself.  The
 * kernel releases them when that process ends, however it ends.
 */

#include <stdbool.h>

struct outbox_lock {
	int file; /* <outbox>.lock; -1: not held */
	int db;   /* the outbox; -1: there is none yet */
};

void outbox_lock_init(struct outbox_lock *);
/*
 * Takes the locks, or makes sure that those it has are on the files of today.
 * 0, or -1 and *why: a sentence that names the process and the runtime_dir of
 * the holder; free(3) it.
 */
int outbox_lock_take(struct outbox_lock *, const char *outbox,
    const char *runtime_dir, char **why);
/* Releases them.  The outbox must be closed. */
void outbox_lock_drop(struct outbox_lock *);

#endif
