/* SPDX-License-Identifier: MIT */
#ifndef WORKER_ADMIN_CONN_LIST_H
#define WORKER_ADMIN_CONN_LIST_H

/*
 * Queries of pusherctl about this worker's connections, and the closing of many
 * of them: walks over the list of clients, a portion at a time.
 */

#include <stdbool.h>
#include <stdint.h>

#include "shared/base/list.h"
#include "shared/ipc/ipc_msg.h"

struct worker;

struct conn_lists {
	struct list all; /* struct conn_list */
};

void conn_lists_init(struct worker *);
/* Ends every walk: the link is gone, and so are the queries' owners. */
void conn_lists_clear(struct worker *);

/* Handlers of CONN_QUERY, CONN_QUERY_MORE, CONN_QUERY_CANCEL. */
int conn_list_on_query(struct worker *, const struct msg_conn_query *);
int conn_list_on_more(struct worker *, const struct msg_conn_query_more *);
int conn_list_on_cancel(struct worker *, const struct msg_conn_query_cancel *);

#endif
