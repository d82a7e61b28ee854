/* SPDX-License-Identifier: MIT */
#ifndef WORKER_CLIENT_REFUSED_H
#define WORKER_CLIENT_REFUSED_H

/* Logs refused clients and refused signatures of clients. */

#include <stdbool.h>

#include "shared/base/str.h"

struct conn;
struct http_head;

/* what: "subscribe", "sign-in"; channel: may be empty. */
void refused_signature(
    struct conn *, const char *what, struct str channel, struct str why);
/*
 * A client is refused: logs it, then sends pusher:error and closes.  For 4000
 * that may happen some seconds later.
 */
void refused_client(
    struct conn *, const struct http_head *, unsigned code, struct str text);
/* The pause before a 4000 is over: closes.  False: c is not waiting. */
bool refused_late(struct conn *);

#endif
