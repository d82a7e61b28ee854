/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CHANNEL_MEMBER_CONNS_H
#define BROKER_CHANNEL_MEMBER_CONNS_H

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

struct member_conn {
	uint64_t sid, stamp;
	struct buf *info; /* user_info, as it stands in frames */
	unsigned slot;
};

struct member_conns {
	struct member_conn
	    first;        /* the oldest; n == 0: the last one, now gone */
	struct list more; /* the others */
	uint32_t n;
	bool mixed; /* `more` is not in the order of the stamps */
};

/* One for each presence channel: shared by all its members. */
struct member_conn_table {
	struct hash more; /* all connections but the first ones */
	size_t bytes;     /* of all infos; equal ones of a member count once */
	bool changed;     /* a first connection has another info */
};

void member_conns_init(struct member_conns *);
void member_conns_clear(struct member_conn_table *, struct member_conns *);
/* A reference to this info for one more connection. */
struct buf *member_conns_keep_info(
    struct member_conn_table *, const struct member_conns *, struct str info);
void member_conns_forget_info(struct member_conn_table *, struct buf *info);
/* Takes the reference of the connection to its info. */
void member_conns_add(
    struct member_conn_table *, struct member_conns *, struct member_conn);
/*
 * False: there is no such connection.  If it is there twice (a replay adds both
 * before it reads that one has ended), the older one leaves.
 */
bool member_conns_remove(struct member_conn_table *, struct member_conns *,
    unsigned slot, uint64_t sid);
/* The connection of an element of the list `more`. */
const struct member_conn *member_conn_of_list(const struct list *);
/* All connections of a worker are those of another one from now on. */
void member_conns_move(struct member_conns *, unsigned from, unsigned to);
/* All connections of a worker are gone. */
void member_conns_drop(
    struct member_conn_table *, struct member_conns *, unsigned slot);

/* Sorts the n elements of a list; compare() gets struct list **. */
void member_conns_sort_list(
    struct list *, size_t n, int (*compare)(const void *, const void *));

#endif
