/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CHANNEL_SUBSCRIBE_H
#define BROKER_CHANNEL_SUBSCRIBE_H

/*
 * Entering and leaving a channel: registry, members, the answer, and the events
 * to the other members.
 */

#include <stdbool.h>

#include "shared/base/list.h"
#include "shared/ipc/ipc_msg.h"

struct broker;
struct peer;

/* Sends SUB_DONE for a connection that was admitted (an answer_fn). */
void subscribe_answer(struct peer *, const struct msg_sub *, uint64_t stamp);

/* Handlers of SUB, SUB_AGAIN, UNSUB. */
int subscribe_on_sub(struct peer *, const struct msg_sub *);
int subscribe_on_sub_again(struct peer *, const struct msg_sub_again *);
int subscribe_on_unsub(struct peer *, const struct msg_unsub *);

/*
 * In a cluster, before the message goes to all hosts: is there no room here for
 * the channel or member?  Then the client has been told.
 */
bool subscribe_is_refused(struct peer *, const struct msg_sub *);
/* Has the subscription been refused so?  Then other hosts do not know it. */
bool subscribe_was_refused(struct peer *, const struct msg_unsub *);

/* Removes the members from all channels without events (at the exit). */
void subscribe_clear(struct broker *);

#endif
