/* SPDX-License-Identifier: MIT */
#ifndef BROKER_LOG_PAST_H
#define BROKER_LOG_PAST_H

/* The events of a channel that are in its app's log, as JSON. */

#include <stdbool.h>
#include <stdint.h>

#include "broker/log/app_log.h"
#include "shared/json/json_write.h"

/* Which events: those after a number, or since a time. */
struct past {
	uint64_t epoch, after; /* epoch 0: none was given */
	uint64_t since_ms;     /* of the wall clock */
	uint32_t limit;
	struct str channel;

	/* The result so far; see past_begin(). */
	uint64_t log_epoch, log_bytes, last;
	uint64_t before; /* number of the channel's previous one; 0: none */
	uint64_t *offs;  /* the last `limit` of them, as a ring */
	size_t seen;
	bool more, bounded; /* the record at `at` is older than requested */
	struct ring_record at;
};

/*
 * Reads "LIMIT SINCE EPOCH AFTER CHANNEL", all decimal but the channel: the
 * channel field of QUERY_PAST.  0, or -1: it is invalid.
 */
int past_read(struct past *, struct str text);
/*
 * The number of the event that this worker sent with this seq; 0: it is not
 * in the log, or more than 1,000 events of the channel are newer.
 */
uint64_t past_pos(
    const struct app_log *, struct str channel, uint64_t origin, uint64_t seq);
/* "event_id":"..." of the event with this number; 0: nothing. */
void past_put_id(const struct app_log *, uint64_t pos, struct json_writer *);
/*
 * Searches the records from the newest back, in portions; the log may change
 * between them.  past_go_on() returns true when all are found.
 */
void past_begin(struct past *, const struct app_log *);
bool past_go_on(struct past *, const struct app_log *, unsigned records);
/*
 * {"events":[...],"complete":true,"last":"..."}, the oldest first: as many as
 * fit into max bytes, and one at least.  log NULL: the log was closed
 * meanwhile.
 */
void past_write(
    struct past *, const struct app_log *, size_t max, struct json_writer *);
void past_end(struct past *);

#endif
