/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CHANNEL_QUERY_H
#define BROKER_CHANNEL_QUERY_H

/*
 * Answers the questions of the HTTP API: finished JSON bodies (Pusher
 * documentation, "HTTP API reference").
 */

#include <stdbool.h>

#include "shared/base/list.h"
#include "shared/ipc/ipc_msg.h"

struct broker;
struct peer;

/* A list of channels is cut off here: the asker has to narrow it. */
#define QUERY_MAX_BYTES (16u << 20)

/* Lists that take several turns. */
struct queries {
	struct list all;
};

void query_init(struct broker *);
/* Handler of QUERY. */
int query_on_query(struct peer *, const struct msg_query *);
/*
 * Goes on with lists that take several turns; true when something is left
 * for the next one.
 */
bool query_continue(struct broker *);
/* Forgets the questions of this worker, or of all (NULL). */
void query_drop(struct broker *, const struct peer *);

#endif
