/* SPDX-License-Identifier: MIT */
#ifndef WORKER_CLIENT_HANDSHAKE_H
#define WORKER_CLIENT_HANDSHAKE_H

/*
 * From an HTTP request for /app/{key} to a greeted client.  Once the request
 * is a valid upgrade it is answered with 101, and every refusal happens
 * inside the socket (protocol reference, 1.2).
 */

#include <stdbool.h>

#include "shared/ipc/ipc_msg.h"
#include "shared/net/http.h"

struct conn;
struct worker;

/* Is this request one for us: an upgrade, or a path under /app? */
bool handshake_is_for(const struct http_head *);
/* Answers it and swaps c->ops, or answers 426. */
void handshake_request(struct conn *, const struct http_head *);
/*
 * The connection has signed in or joined a private channel: from now on it
 * counts, also against the app's max_connections (4004 when that is over).
 */
void handshake_authorize(struct conn *);
/* It is going: the broker forgets it. */
void handshake_end(struct conn *);
/* Says to a new broker that it is there. */
void handshake_replay(struct conn *);
/* Asks it once more whether the connection may be there. */
void handshake_ask_again(struct conn *);
/* Handler of CONN_OK. */
int handshake_on_conn_ok(struct worker *, const struct msg_conn_ok *);

#endif
