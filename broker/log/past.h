/* SPDX-License-Identifier: MIT */
#ifndef BROKER_LOG_PAST_H
#define BROKER_LOG_PAST_H

/* The events of a channel that are in its app's log, as JSON. */

#include <stdint.h>

#include "broker/log/app_log.h"
#include "shared/json/json_write.h"

/* Which events: those behind a number, or since a time. */
struct past {
	uint64_t epoch, after; /* epoch 0: none is named */
	uint64_t since_ms;     /* of the wall clock */
	uint32_t limit;
	struct str channel;
};

/*
 * Reads "LIMIT SINCE EPOCH AFTER CHANNEL", all decimal but the channel: what
 * QUERY_PAST has as its channel.  0, or -1: it is none.
 */
int past_read(struct past *, struct str text);
/* {"events":[…],"complete":true,"last":"…"}; log NULL: there is none. */
void past_write(
    const struct past *, const struct app_log *, struct json_writer *);

#endif
