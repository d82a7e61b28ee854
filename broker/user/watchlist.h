/* SPDX-License-Identifier: MIT */
#ifndef BROKER_USER_WATCHLIST_H
#define BROKER_USER_WATCHLIST_H

/* Watchlists: which connections watch which users, and the events to them. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/user/user.h"
#include "shared/base/buf.h"
#include "shared/ipc/ipc_msg.h"

struct broker;

/* A bit for each element of the longest watchlist. */
#define WATCH_BYTES ((USERS_WATCHLIST_MAX + 7) / 8)

/* Replaces the session's list by the message's; -1: it is invalid. */
int watchlist_set(struct broker *, struct session *, const struct msg_signin *);
/*
 * A long list takes up to a millisecond: stores it until watchlist_enter(),
 * which gives its length, or 0 if none was stored.  -1: it is invalid.
 */
bool watchlist_is_long(const struct msg_signin *);
int watchlist_put_off(
    struct broker *, struct session *, const struct msg_signin *);
size_t watchlist_enter(struct broker *, struct session *);
void watchlist_clear(struct broker *, struct session *);
/* Frees a portion of the lists that have ended; true: work is left. */
bool watchlist_free_some(struct broker *);
/* Notes that the session is told the present state of all users on its list. */
void watchlist_write(
    struct buf **, struct session *, uint8_t online[WATCH_BYTES]);
/*
 * All connections that watch u and were told otherwise are told its present
 * state, ...
 */
void watchlist_tell(struct broker *, struct user *u);
/* ... a portion in each turn; true: work is left. */
bool watchlist_go_on(struct broker *);
/* Was any connection told that u is online? */
bool watchlist_is_notified(const struct user *u);
/* Tells the session all changes since it was last told. */
void watchlist_correct(struct broker *, struct session *);

#endif
