/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CHANNEL_NAMED_SESSION_H
#define BROKER_CHANNEL_NAMED_SESSION_H

/* Which connection has a session. */

#include "shared/ipc/ipc_msg.h"

struct broker;
struct peer;

/* Handlers of SESSION and SESSION_END. */
int named_session_on_begin(struct peer *, const struct msg_session *);
int named_session_on_end(struct peer *, const struct msg_session_end *);
/*
 * Another connection has the session from now on: tells the worker of the
 * connection sid.
 */
void named_session_taken(struct broker *, unsigned slot, uint64_t sid);

#endif
