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
 * A connection to another host of the cluster has the session; m->app is that
 * of this host.
 */
void named_session_elsewhere(struct broker *, const struct msg_session *);

#endif
