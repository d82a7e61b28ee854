/* SPDX-License-Identifier: MIT */
#ifndef WORKER_CLIENT_CLIENT_H
#define WORKER_CLIENT_CLIENT_H

/* Pusher events from a client: one table, event name -> handler. */

#include <stdbool.h>
#include <stdint.h>

#include "shared/base/str.h"
#include "shared/ipc/ipc_msg.h"

struct app;
struct conn;
struct worker;

/* One complete text message, already valid UTF-8. */
void client_message(struct conn *, struct str text);
/* Handler of SUB_DONE. */
int client_on_sub_done(struct worker *, const struct msg_sub_done *);
/* Handler of SIGNIN_DONE. */
int client_on_signin_done(struct worker *, const struct msg_signin_done *);
/* Reports the signed-in connections to a new broker. */
void client_signin_replay(struct conn *);
/* SIGNIN is sent again: notes whether it was answered. */
void client_signin_restamp(struct worker *, char *p, size_t n);
/* Leaves the broker's list of users; forgets the user. */
void client_signin_end(struct conn *);
/* Handler of WATCHLIST_EVENT: finished frames for one connection. */
int client_on_watchlist_event(
    struct worker *, const struct msg_watchlist_event *);
/* Handler of TERMINATE: 4009 for every connection of this user. */
int client_on_terminate(struct worker *, const struct msg_terminate *);

/* The connection names the session with this id, which may be invalid. */
void client_name_session(struct conn *, struct str id);
/*
 * Closes the connection; one with a session is first asked for its last
 * confirmation, and has two seconds to give it.  text: a literal.
 */
void client_part(struct conn *, unsigned code, const char *text);
/* It has given it, or not: closes it. */
void client_parted(struct conn *);
/* A pong with this payload has arrived. */
void client_on_pong(struct conn *, struct str payload);
/* Handler of SESSION_OK. */
int client_on_session_ok(struct worker *, const struct msg_session_ok *);
/* The log of the app has restarted: earlier confirmations are void. */
void client_restart_log(struct worker *, const struct app *, uint64_t pos);
/* The newest number of its app's log that this worker has seen. */
uint64_t client_log_pos(const struct conn *);
/* The number of its app. */
uint32_t client_app_num(const struct conn *);
/* Once a second: looks at a part of the sessions. */
void client_tick(struct worker *);

#endif
