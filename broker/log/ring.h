/* SPDX-License-Identifier: MIT */
#ifndef BROKER_LOG_RING_H
#define BROKER_LOG_RING_H

/*
 * A ring of records in a mapped file: the newest events of one app.  A record
 * is written behind the newest one, and the oldest ones make room for it.  It
 * counts once the head has been moved behind it, so that its writer may be
 * killed at any instruction.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/str.h"

struct ring;

/* One record.  The texts are views into the mapping. */
struct ring_record {
	uint64_t off; /* where it lies; grows for ever; see ring_read() */
	uint64_t pos; /* its number; each is one above the one before */
	uint64_t origin, seq;
	uint64_t time_us;  /* of the wall clock */
	uint64_t except;   /* the sid that does not get it */
	uint64_t hash;     /* of the channel */
	uint64_t prev;     /* off of the channel's record before; 0: none */
	uint64_t prev_pos; /* and its number */
	struct str channel, frame;
};

/* The record leaves the ring. */
typedef void (*ring_evicted)(void *arg, const struct ring_record *);

void ring_close(struct ring *);
/* Random; another one means that positions have begun anew. */
uint64_t ring_epoch(const struct ring *);
/* The number of the newest record, also of one that has left; 1: none yet. */
uint64_t ring_last(const struct ring *);
/* The number of the oldest record that is there; above ring_last(): none. */
uint64_t ring_oldest(const struct ring *);
/* The number of the first record that any ring gets. */
uint64_t ring_first(void);
/* Bytes for records, and how many are in use. */
uint64_t ring_bytes(const struct ring *);
uint64_t ring_used(const struct ring *);
/*
 * Writes a record: gives it its off and its pos.  False: it is too large for
 * the ring, and nothing has changed.
 */
bool ring_append(struct ring *, struct ring_record *, ring_evicted, void *arg);
/*
 * A record that is too large gets its number and is not kept; nor is anything
 * before it, since nobody may believe that there was nothing.
 */
void ring_skip(struct ring *);
/* Sets the previous record of its channel, which a copy does not know. */
void ring_chain(
    struct ring *, const struct ring_record *, uint64_t prev, uint64_t pos);
/* Reads the record at this off; false: there is none (any more). */
bool ring_read(const struct ring *, uint64_t off, struct ring_record *);
/* Walks all records, oldest first: *at begins with 0. */
bool ring_next(const struct ring *, uint64_t *at, struct ring_record *);

#endif
