/* SPDX-License-Identifier: MIT */
#ifndef WORKER_LINK_KEPT_H
#define WORKER_LINK_KEPT_H

/*
 * The numbered messages of this worker (shared/ipc/ipc_msgs.def): sent when
 * there is a broker, and kept in any case until one acknowledges them.
 */

#include <stdbool.h>
#include <stdint.h>

#include "shared/ipc/ipc_msg.h"

struct conn;
struct member;
struct subscription;
struct worker;

/* Each gives the message its number (m->seq). */
void kept_send_event(struct worker *, struct msg_event *m);
void kept_send_sub(struct worker *, struct msg_sub *m);
void kept_send_unsub(struct worker *, struct msg_unsub *m);
void kept_send_signin(struct worker *, struct msg_signin *m);
void kept_send_signout(struct worker *, struct msg_signout *m);
void kept_send_terminate(struct worker *, struct msg_terminate *m);

/*
 * UNSUB has been sent for it; it has left its connection and its topic's
 * entries.  Takes it over: while that is not acknowledged, a replay has to
 * say that it was there.
 */
void kept_end_subscription(
    struct worker *, struct subscription *, uint64_t sid);
/* The same for a user and SIGNOUT, if the sign-in was answered. */
void kept_end_user(
    struct worker *, uint32_t app, uint64_t sid, struct member *);
/* Says to a new broker what has ended and was not acknowledged. */
void kept_replay(struct worker *);
/* Sends everything again that was not acknowledged. */
void kept_resend(struct worker *);
/* Once a second: forgets users who have left long ago. */
void kept_tick(struct worker *);
void kept_free(struct worker *);
/* Has a broker acknowledged everything? */
bool kept_is_empty(const struct worker *);
/* Events that none has acknowledged. */
unsigned kept_events(const struct worker *);

/*
 * SUB_DONE for a subscription that has ended: if the broker has let it in, a
 * replay has to say so.
 */
void kept_on_late_answer(struct worker *, const struct msg_sub_done *);
/* Handler of ACK. */
int kept_on_ack(struct worker *, const struct msg_ack *);

#endif
