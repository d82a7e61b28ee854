/* SPDX-License-Identifier: MIT */
#ifndef WORKER_CHANNEL_ROSTER_H
#define WORKER_CHANNEL_ROSTER_H

/*
 * Who is in a presence channel, as its subscribers here have been told: see
 * worker/channel/roster.c.
 */

#include "shared/ipc/ipc_msg.h"

struct roster;
struct worker;

/* NULL is allowed. */
void roster_free(struct roster *);
/* Says to a new broker what the clients believe. */
void roster_replay(struct worker *);

/* Handlers of ROSTER, MEMBER. */
int roster_on_roster(struct worker *, const struct msg_roster *);
int roster_on_member(struct worker *, const struct msg_member *);

#endif
