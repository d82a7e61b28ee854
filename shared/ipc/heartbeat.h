/* SPDX-License-Identifier: MIT */
#ifndef SHARED_IPC_HEARTBEAT_H
#define SHARED_IPC_HEARTBEAT_H

/*
 * Does a child turn its loop?  One counter for each, in memory that master and
 * children share; it is raised four times a second.
 */

#include <ev.h>
#include <stdint.h>

#define HEARTBEAT_SECONDS 0.25

struct heartbeat {
	ev_timer timer;
	uint64_t *counter; /* NULL: no counter */
};

/* n counters that survive fork(2); NULL with errno. */
uint64_t *heartbeat_map(unsigned n);
uint64_t heartbeat_read(const uint64_t *counter);
/* From now on the loop raises the counter. */
void heartbeat_start(struct heartbeat *, struct ev_loop *, uint64_t *counter);
/* Raises it during a long piece of work that makes progress. */
void heartbeat_beat(struct heartbeat *);

#endif
