/* SPDX-License-Identifier: MIT */
#ifndef WORKER_CHANNEL_ROSTER_H
#define WORKER_CHANNEL_ROSTER_H

/*
 * The members of a presence channel, as the subscribers here know them: see
 * roster.c.
 */

#include <stdbool.h>

#include "shared/ipc/ipc_msg.h"

struct roster;
struct worker;

struct roster *roster_new(void);
void roster_clear(struct roster *);
/* NULL is allowed in these four. */
void roster_free(struct roster *);
size_t roster_members(const struct roster *);
/* Of the ids and infos of all members. */
size_t roster_bytes(const struct roster *);
bool roster_has(const struct roster *, struct str id);
/* Applies MEMBER; false if it changes nothing. */
bool roster_change(struct roster *, const struct msg_member *);
/* Sends ROSTER and each MEMBER to a new broker. */
void roster_replay(
    struct worker *, const struct roster *, uint32_t app, struct str channel);

#endif
