/* SPDX-License-Identifier: MIT */
#ifndef WORKER_HANDSHAKE_H
#define WORKER_HANDSHAKE_H

/*
 * From an HTTP request for /app/{key} to a greeted client.  Once the request
 * is a valid upgrade it is answered with 101, and every refusal happens
 * inside the socket (protocol reference, 1.2).
 */

#include "shared/http.h"
#include "shared/ipc_msg.h"

struct conn;
struct worker;

/*
 * Is this request one for us: an upgrade, or a path under /app?  Answers it
 * and swaps c->ops, or answers 426.
 */
void handshake_request(struct conn *, const struct http_head *);
/* Handler of CONN_OK. */
int handshake_on_conn_ok(struct worker *, const struct msg_conn_ok *);

#endif
