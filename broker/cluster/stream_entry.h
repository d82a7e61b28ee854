/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CLUSTER_STREAM_ENTRY_H
#define BROKER_CLUSTER_STREAM_ENTRY_H

/* An entry of the stream, as Redis answers it. */

#include "broker/cluster/inside.h"

struct stream_entry {
	struct order_place place;
	struct str host, data;
	const char *again; /* see stream_entry_again() */
	uint64_t epoch;
};

/*
 * Events that come a second time in the stream: a worker sends again what a
 * broker that has died had appended, but not acknowledged.  Redis writes into
 * the entry which they are, because a host whose broker is new may not have
 * read the first one, and has to decide as the others do.  The text has, for
 * the last such event of each worker, ORIGIN in base 16, a blank, NUMBER, a
 * blank (script_send); anything else ends it.
 */
void stream_entry_again(const char *text, struct newest *seen);
/* False: no host has written it; its place is there. */
bool stream_entry_get(struct stream_entry *, const redisReply *);
/* Subscriptions have the same stamp on all hosts. */
uint64_t stream_stamp(const struct stream_entry *);

#endif
