/* SPDX-License-Identifier: MIT */
#ifndef WORKER_ADMIN_CONN_LIST_H
#define WORKER_ADMIN_CONN_LIST_H

/*
 * What pusherctl asks about this worker's connections, and its closing many
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
/* Ends every walk: the link is gone, and with it who asked. */
void conn_lists_clear(struct worker *);

/* Handlers of WALK, WALK_GO, WALK_END. */
int conn_list_on_walk(struct worker *, const struct msg_walk *);
int conn_list_on_go(struct worker *, const struct msg_walk_go *);
int conn_list_on_end(struct worker *, const struct msg_walk_end *);

#endif
