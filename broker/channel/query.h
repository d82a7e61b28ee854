/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CHANNEL_QUERY_H
#define BROKER_CHANNEL_QUERY_H

/*
 * Answers the questions of the HTTP API with finished JSON bodies (Pusher
 * documentation, "HTTP API reference").
 */

#include <stdbool.h>

#include "shared/base/list.h"
#include "shared/ipc/ipc_msg.h"

struct broker;
struct peer;

/* Lists that take several turns. */
struct queries {
	struct list all;
	const struct listing *body; /* has a part of its body; NULL: none */
	uint32_t served;            /* the app that had the last turn */
};

void query_init(struct broker *);
/* Handler of QUERY. */
int query_on_query(struct peer *, const struct msg_query *);
/* Continues lists that take several turns; true when work is left. */
bool query_continue(struct broker *);
/* Drops the questions of this worker, or of all (NULL). */
void query_drop(struct broker *, const struct peer *);

#endif
