/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CONTROL_SURVEY_H
#define BROKER_CONTROL_SURVEY_H

/*
 * A question of pusherctl's that the workers answer: their connections, or
 * that some of them be closed.  See WALK in ipc_msgs.def.
 */

#include <stdbool.h>
#include <stdint.h>

#include "shared/ipc/ipc_msg.h"

struct broker;
struct control_client;
struct peer;
struct survey;

/*
 * what: WALK without its id; its texts are copied.  limit: rows after which
 * it is enough, 0: all.  Rows and the end of the question follow.
 */
void survey_begin(
    struct control_client *, const struct msg_walk *what, uint64_t limit);
/* The client is gone; NULL is allowed. */
void survey_free(struct survey *);
/* There is room in the client's queue: asks for another portion. */
void survey_go_on(struct survey *);
/* Would that do anything? */
bool survey_may_go_on(const struct survey *);
/* This worker is gone: nobody waits for it. */
void survey_drop(struct broker *, unsigned slot);

/* Handler of WALK_ROWS. */
int survey_on_rows(struct peer *, const struct msg_walk_rows *);

#endif
