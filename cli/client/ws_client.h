/* SPDX-License-Identifier: MIT */
#ifndef CLI_CLIENT_WS_CLIENT_H
#define CLI_CLIENT_WS_CLIENT_H

/* A blocking WebSocket client (RFC 6455): for commands, not for load. */

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
	char *why;       /* why it has ended: a sentence */
	unsigned status; /* of the server's HTTP answer */
	unsigned code;   /* of the server's close frame; 0: none */
	char reason[124];
};

/*
 * Connects, by TLS unless tls is NULL, and upgrades: 0, or -1 and c->why.  Call
 * ws_client_clear() in both cases.
 */
int ws_client_open(struct ws_client *, const struct sock_addr *,
    const struct tls_client *tls, const char *host, const char *path);
void ws_client_clear(struct ws_client *);
/* Its two halves; after the second c->status is that of HTTP, 0: none. */
int ws_client_connect(
    struct ws_client *, const struct sock_addr *, const struct tls_client *tls);
int ws_client_upgrade(struct ws_client *, const char *host, const char *path);
/* The time that each read may take; 0: no limit. */
void ws_client_patience(const struct ws_client *, unsigned seconds);
/*
 * Instead of the upgrade: one request with Connection: close.  0, c->status and
 * *body, valid until the next call; or -1 and c->why.
 */
int ws_client_request(struct ws_client *, struct str request, struct str *body);
/* Sends a text message: 0, or -1 and c->why. */
int ws_client_send(struct ws_client *, struct str text);
/*
 * Waits for the next text message, without a limit; answers pings.  1 and
 * *text, valid until the next call; 0: the server has closed; -1: c->why.
 */
int ws_client_next(struct ws_client *, struct str *text);

/* Appends a masked frame; the load generator's, too. */
void ws_client_put_frame(struct buf **out, enum ws_opcode, struct str payload);

#endif
