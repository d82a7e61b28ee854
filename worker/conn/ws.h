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
	/* The client gets no more events or answers. */
	void (*leave)(struct conn *);
	/*
	 * The time of ws_arm() is over, and the connection is not being closed.
	 */
	void (*timeout)(struct conn *);
	/* The client reads too slowly: queue a goodbye. */
	void (*slow)(struct conn *);
	/* The connection is closed: free the owner's data. */
	void (*gone)(struct conn *);
};

/* Once a turn: handles compressed messages that waited for it. */
void ws_turn(struct worker *);
/* Sets the next timeout: silence, a missing pong, authorisation. */
void ws_arm(struct conn *);
/*
 * Sends a close frame and waits a little for the peer's; only that counts from
 * now on.  code 0: without a body.
 */
void ws_close(struct conn *, unsigned code, struct str reason);
/* Sends a ping, and awaits the pong. */
void ws_ping(struct conn *);
/* Leaves everything: the client gets no more events or answers. */
void ws_leave(struct conn *);

#endif
