/* SPDX-License-Identifier: MIT */
#ifndef WORKER_CLIENT_ERROR_H
#define WORKER_CLIENT_ERROR_H

/* pusher:error for a client, and the close that follows it. */

#include "shared/base/str.h"

struct conn;

/* Error texts quote at most this many bytes of a client's text. */
#define CLIENT_SHOWN 200

/* Sends pusher:error and closes nothing.  Code 0 is sent as null. */
void client_error(struct conn *, unsigned code, struct str text);
void client_errorf(struct conn *, unsigned code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Sends pusher:error and a close frame with this code, then finishes. */
void client_close(struct conn *, unsigned code, struct str text);
/* Closes with 4100: too many wrong signatures from this address. */
void client_close_auth_failures(struct conn *);

#endif
