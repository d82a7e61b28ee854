/* SPDX-License-Identifier: MIT */
#ifndef CLI_CLIENT_WS_CLIENT_H
#define CLI_CLIENT_WS_CLIENT_H

/* A WebSocket client (RFC 6455) that waits: for commands, not for load. */

#include <stdint.h>

#include "cli/client/tls_client.h"
#include "shared/base/buf.h"
#include "shared/base/str.h"
#include "shared/net/sock.h"
#include "shared/net/ws_frame.h"

struct ws_client {
	int fd;
	SSL *ssl; /* or NULL */
	struct buf *in;
	uint32_t off;    /* first byte not taken yet */
	struct buf *out; /* where a frame is built */
	struct buf *message;
	char *why;     /* why it is over: a sentence */
	unsigned code; /* of the server's close frame; 0: none */
	char reason[124];
};

/*
 * Connects, by TLS unless tls is NULL, and upgrades: 0, or -1 and c->why.  In
 * both cases ws_client_clear() it.
 */
int ws_client_open(struct ws_client *, const struct sock_addr *,
    const struct tls_client *tls, const char *host, const char *path);
void ws_client_clear(struct ws_client *);
/* Sends a text message: 0, or -1 and c->why. */
int ws_client_send(struct ws_client *, struct str text);
/*
 * Waits for the next text message, as long as it takes; answers pings.  1 and
 * *text, valid until the next call; 0: the server has closed; -1: c->why.
 */
int ws_client_next(struct ws_client *, struct str *text);

/* Appends a masked frame; the load generator's, too. */
void ws_client_put_frame(struct buf **out, enum ws_opcode, struct str payload);

#endif
