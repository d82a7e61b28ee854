/* SPDX-License-Identifier: MIT */
#ifndef BROKER_LINK_BACKLOG_H
#define BROKER_LINK_BACKLOG_H

/*
 * Messages that wait because their answers would not fit: a thousand
 * connections that enter one large presence channel at once ask for a
 * thousand long lists.  Later messages wait too, so that the order stays.
 */

#include <stdbool.h>

#include "shared/ipc/ipc.h"

struct broker;
struct peer;

#define PARK_BELOW (4u << 20) /* they go on */
#define PARK_MAX (16u << 20)  /* bytes waiting; above it it is not read */

/* Forgets what waits: the link is over. */
void backlog_clear(struct peer *);
/*
 * Has this message to wait?  True: yes, and it is kept here, or stays in the
 * link, which is not read any further.  costly: its answer may be long.
 */
bool backlog_message(struct peer *, const struct ipc_in *, bool costly);
/*
 * Handles what waits, as far as there is room.  True when more could be done
 * at once.
 */
bool backlog_resume(struct broker *);

#endif
