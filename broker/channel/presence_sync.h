/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CHANNEL_PRESENCE_SYNC_H
#define BROKER_CHANNEL_PRESENCE_SYNC_H

/*
 * The members of presence channels as the workers know them (ROSTER, MEMBER).
 * A new broker learns them from the workers.
 */

#include <stdint.h>

#include "shared/ipc/ipc_msg.h"

struct broker;
struct channel;
struct member;
struct peer;

/*
 * The worker is about to get its first subscriber: sends the roster unless the
 * worker has it.
 */
void presence_sync_give(struct peer *, struct channel *);
/*
 * The first connection of a user: tells all workers except that one. stamp: of
 * the member's place.
 */
void presence_sync_tell_added(
    struct peer *, struct channel *, const struct msg_sub *, uint64_t stamp);
void presence_sync_tell_removed(
    struct broker *, struct channel *, struct str user_id);
/* Tells the workers that do not know the suspect, so that all know the same. */
void presence_sync_tell_suspect(struct broker *, const struct member *);

/* Handlers of ROSTER, MEMBER. */
int presence_sync_on_roster(struct peer *, const struct msg_roster *);
int presence_sync_on_member(struct peer *, const struct msg_member *);

#endif
