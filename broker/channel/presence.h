/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CHANNEL_PRESENCE_H
#define BROKER_CHANNEL_PRESENCE_H

/*
 * The members of one presence channel: distinct users in the order in which
 * they joined, each with its connections (Pusher documentation, "Presence
 * channels").  The user_info of a member is that of its oldest connection
 * that is still there.
 */

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/channel/seat.h"
#include "shared/base/buf.h"
#include "shared/base/hash.h"
#include "shared/base/list.h"
#include "shared/base/str.h"

struct budget;
struct channel;
struct json_writer;
struct registry;

/*
 * Bytes of the whole list in a frame, and of what else the connections of
 * its members say in user_info; above it nothing new is let in.  Far more
 * than a client reads, far less than a link carries.
 */
#define PRESENCE_MAX_BYTES (8u << 20)

struct member {
	struct hash_node node;
	struct list order;   /* in presence->order */
	struct list suspect; /* its worker died; see presence_drop() */
	struct presence *presence;
	double due;         /* a suspect leaves not before that */
	uint64_t stamp;     /* of its place in the order */
	struct seats seats; /* n == 0: suspect */
	uint32_t id_len;    /* plain text */
	uint32_t key_len;   /* the id as a doubly escaped JSON string */
	char text[];        /* id, key */
};

struct presence {
	struct budget *budget; /* where it is booked, or NULL */
	size_t booked;
	struct channel *channel; /* whose members these are */
	struct hash members;
	struct seat_table seats;
	struct list order;
	uint64_t rosters;       /* slots whose workers have the roster */
	bool stale;             /* ids and hash have to be made anew */
	bool unsorted;          /* a replay came out of order */
	size_t keys;            /* bytes; with seats.bytes held to the bound */
	struct buf *ids, *hash; /* the list as it stands in frames */
};

/* Members without a connection; see suspects.h. */
struct suspects {
	struct list graces;   /* struct grace */
	struct list recalled; /* struct member: from rosters, in the quiet */
	struct list untold;   /* likewise: workers may not know them yet */
	ev_timer timer;
};

enum presence_joined {
	PRESENCE_FIRST,     /* this user was not there */
	PRESENCE_MORE,      /* one more connection, or back in time */
	PRESENCE_FULL,      /* more than `max` users: refused */
	PRESENCE_TOO_LARGE, /* more than PRESENCE_MAX_BYTES: refused */
};

enum presence_left {
	PRESENCE_STAYS,   /* other connections are left */
	PRESENCE_GONE,    /* that was the last one */
	PRESENCE_UNKNOWN, /* there is no such connection */
};

struct presence *presence_new(struct channel *);
/* Frees all members; NULL is allowed. */
void presence_free(struct presence *);

/*
 * A connection of this worker joins as user `id`.  info: raw JSON, or empty
 * for null.  stamp: the time order of joining, also of subscriptions that are
 * replayed: the oldest one decides about place and info.
 */
struct presence_join {
	unsigned slot;
	struct str id, info;
	uint64_t sid, stamp;
	uint32_t max; /* distinct users */
	bool replay;  /* it has been let in before: no bound holds */
};
/*
 * Somebody whom clients have been told of and who has no connection: is there
 * as a suspect at the end of *suspects, unless the user is there anyway and
 * only gets this place, if it is older.  info as it stands in frames.  True
 * when it is a suspect now.
 */
bool presence_recall(struct presence *, struct str id, struct str info,
    uint64_t stamp, struct list *suspects);
bool presence_has(const struct presence *, struct str id);
/* Is the user's oldest subscription the one with this stamp? */
bool presence_is_oldest(const struct presence *, struct str id, uint64_t stamp);
enum presence_joined presence_join(
    struct presence *, const struct presence_join *);
/* The older one, if the connection is there twice: replays enter it before. */
enum presence_left presence_leave(
    struct presence *, unsigned slot, uint64_t sid, struct str id);
/*
 * A connection of this user is about to leave, and its place is kept until
 * then (0: it is not).  The member, if it stays without a connection, too;
 * else NULL.
 */
struct member *presence_keep(
    struct presence *, struct str id, double now, double until);
/* One that stays loses this connection; false: it is not there. */
bool presence_lose_seat(struct member *, unsigned slot, uint64_t sid);
/*
 * A worker is gone: its connections vanish.  Users without any other connection
 * stay in the list until `due` and are appended to *suspects; whoever joins
 * again is taken off it.  Returns how many.
 */
size_t presence_drop(
    struct presence *, unsigned slot, double due, struct list *suspects);
/* Frees what nobody keeps any more; false: the channel is gone. */
bool presence_release(struct registry *, struct channel *);
/* Removes a suspect for good. */
void presence_expire(struct member *);

/* Distinct users. */
static inline uint32_t
presence_count(const struct presence *p)
{
	return p == NULL ? 0 : (uint32_t)p->members.n;
}

struct str member_id(const struct member *);
/* The user_info, as a JSON string that holds JSON. */
void member_put_info(struct json_writer *, const struct member *);
/* The user with this id, or NULL. */
const struct member *presence_find(const struct presence *, struct str id);
/* As it stands inside the string `data` of a frame. */
struct str member_info(const struct member *);
/*
 * Appends {"presence":{"ids":[…],"hash":{…},"count":n}} as it stands inside
 * the string `data` of a frame.
 */
void presence_write(struct presence *, struct buf **b);
/* Calls back for each user in the order of joining. */
void presence_each(
    struct presence *, void (*fn)(void *arg, const struct member *), void *arg);

#endif
