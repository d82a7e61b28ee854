/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CONTROL_CONN_QUERY_H
#define BROKER_CONTROL_CONN_QUERY_H

/*
 * A question of pusherctl's that the workers answer: their connections, or
 * that some of them be closed.  See CONN_QUERY in ipc_msgs.def.
 */

#include <stdbool.h>
#include <stdint.h>

#include "shared/ipc/ipc_msg.h"

struct broker;
struct control_client;
struct peer;
struct conn_query;

/*
 * what: CONN_QUERY without its id; its texts are copied.  limit: rows after
 * which it is enough, 0: all.  Rows and the end of the question follow.
 */
void conn_query_begin(
    struct control_client *, const struct msg_conn_query *what, uint64_t limit);
/* The client is gone; NULL is allowed. */
void conn_query_free(struct conn_query *);
/* There is room in the client's queue: asks for another portion. */
void conn_query_go_on(struct conn_query *);
/* Would that do anything? */
bool conn_query_may_go_on(const struct conn_query *);
/* This worker is gone: nobody waits for it. */
void conn_query_drop(struct broker *, unsigned slot);

/* Handler of CONN_QUERY_ROWS. */
int conn_query_on_rows(struct peer *, const struct msg_conn_query_rows *);

#endif
