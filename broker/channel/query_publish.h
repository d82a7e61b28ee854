/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CHANNEL_QUERY_PUBLISH_H
#define BROKER_CHANNEL_QUERY_PUBLISH_H

/* The questions of a publish over HTTP about its own events. */

#include "shared/ipc/ipc_msg.h"

struct broker;
struct peer;

/* QUERY_EVENT_INFO or QUERY_BATCH_INFO; -1: it makes no sense. */
int query_publish_answer(struct peer *, const struct msg_query *);
/* Forgets the questions of this worker, or of all (NULL). */
void query_publish_drop(struct broker *, const struct peer *);

#endif
