/* SPDX-License-Identifier: MIT */
#ifndef BROKER_STATS_MINUTES_ASK_H
#define BROKER_STATS_MINUTES_ASK_H

/*
 * GET /apps/{id}/stats: the broker passes the question to the courier, which
 * has the file, and the answer to the worker that asked.
 */

#include "shared/ipc/ipc_msg.h"

struct broker;
struct peer;

#define MINUTES_ASKED_MAX 32 /* that wait, of all apps */
#define MINUTES_ASKED_APP 4  /* of one app */
#define MINUTES_ASKS 10      /* of one app in a second */

/* QUERY_STATISTICS of a worker. */
void minutes_ask(struct peer *, const struct msg_query *);
/* Handler of MINUTES. */
int minutes_on_answer(struct peer *, const struct msg_minutes *);
/* The courier's link is gone: its questions get 503. */
void minutes_queries_lost(struct broker *);

#endif
