/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CONTROL_CONN_QUERY_H
#define BROKER_CONTROL_CONN_QUERY_H

/*
 * A question that the workers answer: lists their connections, or closes some
 * of them.  See CONN_QUERY in ipc_msgs.def.
 */

#include <stdint.h>

#include "shared/ipc/ipc_msg.h"

struct control_client;
struct peer;

/*
 * Asks the workers.  what: CONN_QUERY without its id; its texts are copied.
 * limit: the number of rows, 0: all.  The rows and the end of the answer
 * follow.
 */
void conn_query_begin(
    struct control_client *, const struct msg_conn_query *what, uint64_t limit);
/* Handler of CONN_QUERY_ROWS. */
int conn_query_on_rows(struct peer *, const struct msg_conn_query_rows *);

#endif
