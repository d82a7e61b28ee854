/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CHANNEL_SEAT_H
#define BROKER_CHANNEL_SEAT_H

/*
 * The connections of one member of a presence channel.  Nearly every member has
 * one: `first`, which is found without a search.  Further ones are in a list by
 * age, and in a table of the channel by socket id.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/buf.h"
#include "shared/base/hash.h"
#include "shared/base/list.h"

struct seat {
	uint64_t sid, stamp;
	struct buf *info; /* user_info, as it stands in frames */
	unsigned slot;
};

struct seats {
	struct seat first; /* the oldest; n == 0: the last one, now gone */
	struct list more;  /* the others */
	uint32_t n;
	bool mixed; /* `more` is not in the order of the stamps */
};

/* One for each presence channel: shared by the seats of all its members. */
struct seat_table {
	struct hash more; /* all connections but the first ones */
	size_t bytes;     /* of all infos; equal ones of a member count once */
	bool changed;     /* a first connection has another info */
};

void seats_init(struct seats *);
void seats_clear(struct seat_table *, struct seats *);
/* A reference to this info for one more connection. */
struct buf *seats_keep_info(
    struct seat_table *, const struct seats *, struct str info);
void seats_forget_info(struct seat_table *, struct buf *info);
/* Takes the seat's reference to its info. */
void seats_add(struct seat_table *, struct seats *, struct seat);
/*
 * False: there is no such connection.  If it is there twice (a replay adds both
 * before it reads that one has ended), the older one leaves.
 */
bool seats_remove(
    struct seat_table *, struct seats *, unsigned slot, uint64_t sid);
/* The seat of an element of the list `more`. */
const struct seat *seat_of_list(const struct list *);
/* All connections of a worker are those of another one from now on. */
void seats_move(struct seats *, unsigned from, unsigned to);
/* All connections of a worker are gone. */
void seats_drop(struct seat_table *, struct seats *, unsigned slot);

/* Sorts the n elements of a list; compare() gets struct list **. */
void seats_sort_list(
    struct list *, size_t n, int (*compare)(const void *, const void *));

#endif
