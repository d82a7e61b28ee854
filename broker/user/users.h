/* SPDX-License-Identifier: MIT */
#ifndef BROKER_USER_USERS_H
#define BROKER_USER_USERS_H

/*
 * Signed-in users, and the users whom they watch (Pusher documentation, "User
 * authentication", "Watchlist events").  A user is online with at least one
 * signed-in connection, and for USERS_OFFLINE seconds after the last one.
 */

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/hash.h"
#include "shared/base/list.h"
#include "shared/base/str.h"
#include "shared/ipc/ipc.h"
#include "shared/proc/proc.h"

struct broker;
struct peer;

void users_init(struct broker *);
void users_clear(struct broker *);
/* Workers are gone: signs out some of their connections; true: work is left. */
bool users_drop_dying(struct broker *);
/* Frees what sign-ins have left; true: work is left. */
bool users_free_some(struct broker *);
/* The connections of a worker are those of another one from now on. */
void users_move(struct broker *, unsigned from, unsigned to);

/* The resync is over: tells watchers what they do not know ... */
void users_on_live(struct broker *);
/* ... a portion in each turn; true: work is left. */
bool users_go_on(struct broker *);

/*
 * In a cluster, before the message goes to all hosts: is there no room here?
 * Then the client has been told.
 */
bool users_is_refused(struct peer *, const struct msg_signin *);
/* Handlers of SIGNIN, SIGNOUT, TERMINATE (a struct peer owns it). */
int users_on_signin(struct peer *, const struct msg_signin *);
int users_on_signout(struct peer *, const struct msg_signout *);
int users_on_terminate(void *owner, const struct ipc_in *);

#endif
