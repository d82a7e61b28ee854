/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CLUSTER_SESSION_MOVES_H
#define BROKER_CLUSTER_SESSION_MOVES_H

/* Resumable sessions whose client comes back to another host. */

#include <hiredis/hiredis.h>
#include <stdint.h>

#include "shared/ipc/ipc_msg.h"

struct cluster;
struct host;
struct peer;

void session_moves_init(struct cluster *);
void session_moves_clear(struct cluster *);
/* The stream has brought SESSION: of a worker of this host. -1: it is bad. */
int session_moves_on_own(struct peer *, const struct msg_session *);
/*
 * ... of another host (NULL: before this host joined), which is given what the
 * session has here.  m->app: that of this host.
 */
void session_moves_on_other(
    struct cluster *, const struct host *, const struct msg_session *);
/*
 * A host has given the session to another one, which takes it; or which has
 * lost it since to a connection that waits for it here.  m->app: that of this
 * host.
 */
void session_moves_on_given(struct cluster *, const struct msg_host_session *);
/* The answer to session_store_ask(). */
void session_moves_on_stored(struct cluster *, const redisReply *);
/* The host (NULL: this one) has answered to all that came up to an entry. */
void session_moves_on_done(
    struct cluster *, struct host *, const struct msg_host_sessions_done *);
/* Goes on with those for which no host, or none any more, has to answer. */
void session_moves_check(struct cluster *);
/*
 * The connection does not wait for its session: it subscribes already (it is
 * given what is here), or ends.
 */
void session_moves_hurry(struct cluster *, uint64_t sid);
void session_moves_end(struct cluster *, uint64_t sid);
/* The end of a turn: answers the others. */
void session_moves_turn(struct cluster *);
/* The host leaves: another one gets all sessions that are here. */
void session_moves_leave(struct cluster *);

#endif
