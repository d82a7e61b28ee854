/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CLUSTER_APPLY_H
#define BROKER_CLUSTER_APPLY_H

/* The messages of an entry that has been read from the stream. */

#include "broker/cluster/inside.h"

/* An entry begins with the state of its host, or has what happened in a turn.
 */
enum entry_kind { ENTRY_TURN, ENTRY_JOIN, ENTRY_STATE };

/* Applies the messages of a host (NULL: of this one) from `at` on. */
void apply_messages(struct cluster *, struct host *, struct buf *, uint32_t at,
    enum entry_kind);
/*
 * Only the events, for the clients of this host: all hosts pass on the same;
 * and which sessions other hosts have got.  own: this host has written the
 * entry.
 */
void apply_past(struct cluster *, bool own, struct buf *);

#endif
