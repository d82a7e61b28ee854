/* SPDX-License-Identifier: MIT */
#ifndef WORKER_CLIENT_ADMISSION_H
#define WORKER_CLIENT_ADMISSION_H

/*
 * Admits a WebSocket client: asks the broker for a place when the app has
 * max_connections, and sends the greeting.
 */

#include "shared/base/str.h"
#include "shared/ipc/ipc_msg.h"

struct conn;
struct worker;

/*
 * Why the server takes no clients now (4100); p == NULL: it does.  This is
 * checked before the app, because a worker that is still being filled does not
 * know every app.
 */
struct str admission_check_server(const struct worker *);
/* The upgrade is answered: greets the client, at once or after CONN_OK. */
void admission_begin(struct conn *);
/*
 * The connection has signed in or joined a private channel: from now on it
 * counts towards the app's max_connections (4004 above it).
 */
void admission_authorize(struct conn *);
/* The connection ends: tells the broker. */
void admission_end(struct conn *);
/* Announces the connection to a new broker. */
void admission_replay(struct conn *);
/* Repeats to a new broker the question that the old one did not answer. */
void admission_ask_again(struct conn *);
/* The broker has said which session it has: greets it, if it waits for that. */
void admission_on_session(struct conn *);
/*
 * The time for that is over.  A client that waits only for its session is
 * greeted: its subscriptions get what this host has of the session, or a gap.
 */
void admission_late(struct conn *);
/* Handler of CONN_OK. */
int admission_on_conn_ok(struct worker *, const struct msg_conn_ok *);

#endif
