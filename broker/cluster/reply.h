/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CLUSTER_REPLY_H
#define BROKER_CLUSTER_REPLY_H

/* The form of an answer of Redis.  Pure. */

#include <stdbool.h>

#include "broker/cluster/engine.h"

/*
 * Can this be the answer to this call, as scripts.h and Redis' documentation
 * say?  An error can be, to any call.  after: the id from which on entries were
 * asked for.  The entries themselves are checked in stream_entry.c.
 */
bool reply_is_valid(
    enum engine_call call, const redisReply *r, const char *after);

#endif
