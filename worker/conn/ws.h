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

/* The handler of messages (w->ws). */
struct ws_handler {
	/* One complete message; text is valid UTF-8. */
	void (*message)(struct conn *, bool binary, struct str);
	void (*pong)(struct conn *, struct str payload);
	/* No event and no answer is meant for it any more. */
	void (*leave)(struct conn *);
	/* The time of ws_arm() is over, and nothing is being closed. */
	void (*timeout)(struct conn *);
	/* It reads too slowly: say goodbye. */
	void (*slow)(struct conn *);
	/* It is closed: frees what it has. */
	void (*gone)(struct conn *);
};

/* Sets the timeout that is next: silence, a missing pong, authorisation. */
void ws_arm(struct conn *);
/*
 * Sends a close frame and waits a little for the peer's; nothing but that
 * counts from now on.  code 0: without a body.
 */
void ws_close(struct conn *, unsigned code, struct str reason);
/* Sends a ping, and awaits the pong. */
void ws_ping(struct conn *);
/* Frees c->part. */
void ws_part_free(struct conn *);

/* Bytes of the half message that is kept. */
size_t ws_held(const struct conn *);

/* Leaves everything: no event and no answer is meant for it any more. */
void ws_leave(struct conn *);

#endif
