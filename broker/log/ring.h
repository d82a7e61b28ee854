/* SPDX-License-Identifier: MIT */
#ifndef BROKER_LOG_RING_H
#define BROKER_LOG_RING_H

/*
 * A ring of records in a mapped file: the newest events of one app.  A record
 * is written after the newest one, and the oldest ones make room for it.  It
 * counts when the head has moved behind it, so that its writer may be killed at
 * any instruction.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/str.h"

struct ring;

/* One record.  The texts are views into the mapping. */
struct ring_record {
	uint64_t off; /* its place; grows for ever; see ring_read() */
	uint64_t pos; /* its number; above the previous record's */
	uint64_t origin, seq;
	uint64_t time_us;  /* of the wall clock */
	uint64_t except;   /* the sid that does not get it */
	uint64_t hash;     /* of the channel */
	uint64_t prev;     /* off of the channel's previous record; 0: none */
	uint64_t prev_pos; /* and its number */
	struct str channel, frame;
};

void ring_close(struct ring *);
/* Another epoch means that positions have started again. */
uint64_t ring_epoch(const struct ring *);
/*
 * The newest number that was given; a record may have left the ring.  1: none
 * yet.
 */
uint64_t ring_last(const struct ring *);
/* Every record with this number, or a higher one, is still in the ring. */
uint64_t ring_oldest(const struct ring *);
/* The number of the first record that any ring gets. */
uint64_t ring_first(void);
/* The bytes for records, and how many are in use. */
uint64_t ring_bytes(const struct ring *);
uint64_t ring_used(const struct ring *);
/*
 * Writes a record, and sets its off and pos: that which it has, or the next
 * number, if this is higher.  False: it is too large for the ring, and nothing
 * has changed.
 */
bool ring_append(struct ring *, struct ring_record *);
/*
 * Gives a record that is too large a number as ring_append() does, without
 * storing it, and removes everything before it: a reader must not conclude that
 * there was nothing.
 */
uint64_t ring_skip(struct ring *, uint64_t pos);
/* Gives such a number to something that is no record. */
uint64_t ring_number(struct ring *, uint64_t pos);
/*
 * Removes all, and begins again after this number.  Two rings of an app with
 * the same `shared` have one epoch, on whichever host; 0: it has its own.
 */
void ring_restart(struct ring *, uint64_t shared, uint64_t pos);
/* 0: its epoch is its own. */
uint64_t ring_shared(const struct ring *);
/* Sets the channel's previous record, which a copy does not know. */
void ring_chain(
    struct ring *, const struct ring_record *, uint64_t prev, uint64_t pos);
/* Is the record at this off still there? */
bool ring_has(const struct ring *, uint64_t off);
/* Reads the record at this off; false: it is not there (any more). */
bool ring_read(const struct ring *, uint64_t off, struct ring_record *);
/* Walks all records, oldest first: *at starts at 0. */
bool ring_next(const struct ring *, uint64_t *at, struct ring_record *);

#endif
