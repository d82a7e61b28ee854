/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CLUSTER_SESSION_STORE_H
#define BROKER_CLUSTER_SESSION_STORE_H

/* Sessions in Redis, for the clients of a host that dies. */

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/str.h"

struct cluster;

void session_store_init(struct cluster *);
void session_store_clear(struct cluster *);
/*
 * Asks what is there of a session, for the connection sid: the answer has sid,
 * and the text of HOST_SESSION, which may be empty.  Without a connection to
 * Redis there is none.
 */
void session_store_ask(
    struct cluster *, uint64_t sid, uint32_t app, struct str id);
/*
 * May so many bytes more of an app's sessions go into Redis, as a key or in the
 * stream?  Then they are counted.  They stay there for a while, also those of
 * sessions that have lost their rows: clients that make or move more and more
 * get no more memory than 1 KiB for each of resume_sessions, and those of one
 * app leave room for other apps.
 */
bool session_store_has_room(struct cluster *, uint32_t app, size_t bytes);
/* Redis has written a session, or refused it. */
void session_store_on_written(struct cluster *, const redisReply *);
/* The connection has ended; the next one may be to another server. */
void session_store_down(struct cluster *);

#endif
