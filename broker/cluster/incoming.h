/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CLUSTER_INCOMING_H
#define BROKER_CLUSTER_INCOMING_H

/* The entries that are read from the stream. */

#include "broker/cluster/inside.h"

/* Asks for the next entries, unless that is done or must wait. */
void incoming_read(struct cluster *);
/* The answer to it. */
void incoming_on_entries(struct cluster *, const redisReply *);

#endif
