/* SPDX-License-Identifier: MIT */
#ifndef BROKER_APP_QUOTA_H
#define BROKER_APP_QUOTA_H

/* What an app may have and do over all workers: connections, tokens. */

#include <stdint.h>

#include "shared/ipc/ipc_msg.h"

struct broker;
struct bucket;
struct peer;

/* Handlers of CONN_OPEN, CONN_CLOSE, TAKE. */
int quota_on_conn_open(struct peer *, const struct msg_conn_open *);
int quota_on_conn_close(struct peer *, const struct msg_conn_close *);
int quota_on_take(struct peer *, const struct msg_take *);

/* A worker is gone: so are its connections. */
void quota_drop(struct broker *, unsigned slot);

/*
 * Takes n tokens of a bucket that is filled with `rate` (> 0) tokens a
 * second and holds as many.  More than it holds can be taken when it is full;
 * it is then paid back.  0: taken; else the milliseconds until it can be.
 */
uint32_t quota_take(struct bucket *, uint32_t rate, uint32_t n, double now);

#endif
