/* SPDX-License-Identifier: MIT */
#ifndef WORKER_CONN_WS_H
#define WORKER_CONN_WS_H

/*
 * WebSocket messages from frames (RFC 6455): masking, fragments, control
 * frames in between, UTF-8 that fails fast, the close handshake, liveness.
 */

#include <stdbool.h>
#include <stdint.h>

#include "shared/base/str.h"
#include "worker/conn/conn.h"

extern const struct conn_ops ws_ops;

/* Sets the timeout that is next: silence, a missing pong, authorisation. */
void ws_arm(struct conn *);
/*
 * Sends a close frame and waits a little for the peer's; nothing but that
 * counts from now on.  code 0: without a body.
 */
void ws_close(struct conn *, unsigned code, struct str reason);
/* Frees c->part. */
void ws_part_free(struct conn *);

/* Bytes of the half message that is kept. */
size_t ws_held(const struct conn *);

/* Leaves everything: no event and no answer is meant for it any more. */
void ws_leave(struct conn *);

#endif
