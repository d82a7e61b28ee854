/* SPDX-License-Identifier: MIT */
#ifndef WORKER_CHANNEL_ROSTER_H
#define WORKER_CHANNEL_ROSTER_H

/*
 * The members of a presence channel, as its subscribers here have been told:
 * see worker/channel/roster.c.
 */

#include <stdbool.h>

#include "shared/ipc/ipc_msg.h"

struct roster;
struct worker;

struct roster *roster_new(void);
void roster_clear(struct roster *);
/* NULL is allowed. */
void roster_free(struct roster *);
/* Applies MEMBER; false if it changes nothing. */
bool roster_change(struct roster *, const struct msg_member *);
/* Sends ROSTER and each MEMBER to a new broker. */
void roster_replay(
    struct worker *, const struct roster *, uint32_t app, struct str channel);

#endif
