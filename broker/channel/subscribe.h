/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CHANNEL_SUBSCRIBE_H
#define BROKER_CHANNEL_SUBSCRIBE_H

/*
 * Into a channel and out of it: registry, members, the answer, and what the
 * others are told.
 */

#include <stdbool.h>

#include "shared/base/list.h"
#include "shared/ipc/ipc_msg.h"

struct broker;
struct channel;
struct peer;

/* SUB_DONE for somebody who has been let in; later, while all is quiet. */
void subscribe_answer(struct peer *, const struct msg_sub *, uint64_t stamp);

/* Handlers of SUB, SUB_AGAIN, UNSUB. */
int subscribe_on_sub(struct peer *, const struct msg_sub *);
int subscribe_on_sub_again(struct peer *, const struct msg_sub_again *);
int subscribe_on_unsub(struct peer *, const struct msg_unsub *);

/* Takes the members away from all channels, without a word (at the end). */
void subscribe_clear(struct broker *);

/* Handlers of SESSION and SESSION_END. */
int subscribe_on_session(struct peer *, const struct msg_session *);
int subscribe_on_session_end(struct peer *, const struct msg_session_end *);

#endif
