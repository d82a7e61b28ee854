/* SPDX-License-Identifier: MIT */
#ifndef WORKER_CONN_PUMP_H
#define WORKER_CONN_PUMP_H

/*
 * TLS of clients that another process serves: the state of OpenSSL cannot be
 * handed over, so this process goes on to encrypt for the other one.
 */

#include <stdbool.h>
#include <stdint.h>

struct conn;
struct pump;

struct pump *pump_new(void);
/*
 * The plain end of a connection that speaks TLS, which stays as it is; the
 * pump's to close.  -1 with errno.
 */
int pump_add(struct pump *, struct conn *);
/* None of them comes about. */
void pump_free(struct pump *);
/*
 * Takes TLS, and the output that is queued, away from the connections, and
 * closes the plain ends, which the other process has by now.
 */
void pump_take(struct pump *);
/*
 * Until the last one has ended, the life line breaks, or so many seconds are
 * over.  Frees it.  rest: called in each turn until it returns false; each time
 * it frees a part of what else the process has.
 */
void pump_run(struct pump *, int life_fd, uint32_t seconds,
    bool (*rest)(void *arg), void *arg);

#endif
