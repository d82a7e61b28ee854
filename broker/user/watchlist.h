/* SPDX-License-Identifier: MIT */
#ifndef BROKER_USER_WATCHLIST_H
#define BROKER_USER_WATCHLIST_H

/* Who watches whom, and what watchers are told. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/user/user.h"
#include "shared/base/buf.h"
#include "shared/ipc/ipc_msg.h"

struct broker;

/* A bit for each element of the longest watchlist. */
#define WATCH_BYTES ((USERS_WATCHLIST_MAX + 7) / 8)

/* Replaces the session's list by that of the message; -1: it is none. */
int watchlist_set(struct broker *, struct session *, const struct msg_signin *);
void watchlist_clear(struct broker *, struct session *);
/* The present state of everybody on its list is what it is told now. */
void watchlist_write(
    struct buf **, struct session *, uint8_t online[WATCH_BYTES]);
/* Tells all who watch u and have been told otherwise, but for one. */
void watchlist_tell(struct broker *, const struct user *u, bool online,
    const struct session *except);
/* Has somebody been told that u is online? */
bool watchlist_is_told(const struct user *u);
/* Tells the session what is different from what it has been told. */
void watchlist_correct(struct broker *, struct session *);

#endif
