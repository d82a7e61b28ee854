/* SPDX-License-Identifier: MIT */
#ifndef BROKER_APP_QUOTA_H
#define BROKER_APP_QUOTA_H

/* The limits of an app over all workers: connections and tokens. */

#include <stdint.h>

#include "shared/ipc/ipc_msg.h"

struct broker;
struct broker_app;
struct bucket;
struct peer;

/* The answer to a CONN_OPEN that asks. */
void quota_answer(
    struct peer *, struct broker_app *, uint64_t sid, enum place_answer);
/* Handlers of CONN_OPEN, CONN_CLOSE, TAKE. */
int quota_on_conn_open(struct peer *, const struct msg_conn_open *);
int quota_on_conn_close(struct peer *, const struct msg_conn_close *);
int quota_on_take(struct peer *, const struct msg_take *);

/* A worker is gone: its connections no longer count. */
void quota_drop(struct broker *, unsigned slot);
/* They are those of another worker from now on. */
void quota_move(struct broker *, unsigned from, unsigned to);

/*
 * Takes n tokens from a bucket that gains `rate` (> 0) tokens a second and
 * holds as many.  A full bucket gives more than it holds, and pays it back
 * later. 0: taken; else the milliseconds until they can be taken.
 */
uint32_t quota_take(struct bucket *, uint32_t rate, uint32_t n, double now);

#endif
