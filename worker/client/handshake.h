/* SPDX-License-Identifier: MIT */
#ifndef WORKER_CLIENT_HANDSHAKE_H
#define WORKER_CLIENT_HANDSHAKE_H

/*
 * From an HTTP request for /app/{key} to a greeted client.  A valid upgrade is
 * answered with 101, and every refusal happens inside the socket (protocol
 * reference, 1.2).
 */

#include <stdbool.h>

#include "shared/net/http.h"

struct conn;

/* Is this an upgrade, or a path under /app? */
bool handshake_is_for(const struct http_head *);
/* Answers it and swaps c->ops, or answers 426. */
void handshake_request(struct conn *, const struct http_head *);

#endif
