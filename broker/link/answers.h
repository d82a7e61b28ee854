/* SPDX-License-Identifier: MIT */
#ifndef BROKER_LINK_ANSWERS_H
#define BROKER_LINK_ANSWERS_H

/*
 * Long answers wait until the worker's link has room for them: a thousand
 * connections that enter one large presence channel at once ask for a thousand
 * long lists.  Apps take turns, and so do the connections of an app, so that
 * each waits only for its own answers.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/ipc/ipc_msg.h"

struct broker;
struct peer;

/* app, sid, ref and channel of m are those of the deferred question. */
typedef void (*answer_fn)(
    struct peer *, const struct msg_sub *m, uint64_t stamp);

/* Must an answer wait now?  False: there is room. */
bool answers_must_wait(struct peer *);
/*
 * Calls answer() when there is room and it is the turn of this app and sid.
 * The question has been entered; seq is its number, or 0.
 */
void answers_put_off(struct peer *, answer_fn answer, const struct msg_sub *m,
    uint64_t seq, uint64_t stamp);
/*
 * The answer that is being given has cost as much as n others: of those that
 * wait, fewer are given in this turn.
 */
void answers_charge(struct peer *, size_t n);
/*
 * The connection has left the channel: answers its waiting questions with this.
 */
void answers_replace(
    struct peer *, uint64_t sid, struct str channel, answer_fn);
/* The link has ended: drops its waiting answers. */
void answers_clear(struct peer *);

/*
 * Must this link not be read now, because so many answers wait or some worker
 * has too much to read?  If so, the present message comes again.
 */
bool answers_stop(struct peer *);
/*
 * Stops reading this link, too, because its next message is later than those
 * that wait.  False: it is that of no worker now.
 */
bool answers_hold(struct peer *);
/*
 * Writes waiting answers as far as there is room.  True: more can follow now.
 */
bool answers_go_on(struct broker *);

#endif
