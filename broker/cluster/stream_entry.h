/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CLUSTER_STREAM_ENTRY_H
#define BROKER_CLUSTER_STREAM_ENTRY_H

/* An entry of the stream, as Redis answers it. */

#include "broker/cluster/inside.h"

struct stream_entry {
	struct order_place place;
	struct str host, data;
	const char *again; /* see news_note() */
	uint64_t epoch;
};

/* False: no host has written it; its place is there. */
bool stream_entry_get(struct stream_entry *, const redisReply *);
/* Subscriptions have the same stamp on all hosts. */
uint64_t stream_stamp(const struct stream_entry *);

#endif
