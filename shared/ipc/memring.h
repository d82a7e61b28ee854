/* SPDX-License-Identifier: MIT */
#ifndef SHARED_IPC_MEMRING_H
#define SHARED_IPC_MEMRING_H

/*
 * Two streams of bytes between two processes, one in each direction, in memory
 * that both have.  While the other process runs, neither reading nor writing
 * makes a system call; a pipe (the bell) wakes a process that sleeps.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "shared/base/outq.h"

#define MEMRING_BYTES (256u << 10) /* in each direction */

/* The descriptors of one end. */
struct memring_fds {
	int memory;
	int bell;  /* readable when this end is woken */
	int other; /* wakes the other end */
};

struct memring;

/*
 * Makes both ends and returns the first.  The caller gives *second to the other
 * process, and closes the descriptors.  NULL with errno.
 */
struct memring *memring_new(struct memring_fds *second);
/*
 * The second end.  Owns the descriptors from now on, also when it fails: NULL
 * with errno.  It goes on where another process that had it has stopped.
 */
struct memring *memring_open(const struct memring_fds *);
/* The descriptors, for a process that goes on with this end. */
struct memring_fds memring_fds(const struct memring *);
/* Frees this process's end (or NULL); the other end sees nothing of it. */
void memring_free(struct memring *);
/* The other end's memring_send() fails from now on. */
void memring_close(struct memring *);

/*
 * How many bytes can be read, or -1: the other end has written a position that
 * cannot be.
 */
ssize_t memring_ready(const struct memring *);
/* Reads n bytes, which must be ready. */
void memring_read(struct memring *, char *, size_t n);
/*
 * Writes as much as there is room for.  1: the queue is empty; 0: the ring is
 * full, and the bell rings when it has room; -1: errno, EPIPE after the other
 * end's memring_close(), EBADMSG after an impossible position.  After -1 the
 * bytes of this call have not been sent, but may be gone from the queue.
 *
 * late: while the other end has less than a quarter of the ring to read it is
 * not woken, and the caller has to call memring_wake() soon.
 */
int memring_send(struct memring *, struct outq *, bool late);
/* Wakes the other end if it sleeps and has not read everything. */
void memring_wake(struct memring *);

/*
 * The bytes of this end from here on follow `sent` bytes that went another way;
 * memring_other_sent() tells it to the other end, UINT64_MAX before.
 */
void memring_begin(struct memring *, uint64_t sent);
uint64_t memring_other_sent(const struct memring *);

/*
 * This process is about to sleep, and wants the bell for what is written from
 * now on.  The caller then looks once more for bytes that came before this.
 */
void memring_sleep(struct memring *);
/* It does not sleep. */
void memring_awake(struct memring *);
/*
 * The bell is readable: silences it.  False: the other process has closed its
 * end, or has died.
 */
bool memring_hear(struct memring *);

#endif
