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

#include "broker/channel/member_conns.h"
#include "shared/base/buf.h"
#include "shared/base/hash.h"
#include "shared/base/list.h"
#include "shared/base/str.h"

struct budget;
struct channel;
struct json_writer;
struct registry;

/*
 * Bound in bytes of the list in a frame plus the user_info of all connections;
 * above it nobody new may join.  Far more than a client reads, far less than a
 * link carries.
 */
#define PRESENCE_MAX_BYTES (8u << 20)

struct member {
	struct hash_node node;
	struct list order;   /* in presence->order */
	struct list suspect; /* its worker died; see presence_drop() */
	struct presence *presence;
	double due;                /* a suspect stays at least until then */
	uint64_t stamp;            /* of its place in the order */
	struct member_conns conns; /* n == 0: suspect */
	uint32_t id_len;           /* plain text */
	uint32_t key_len;          /* the id as a doubly escaped JSON string */
	char text[];               /* id, key */
};

struct presence {
	struct budget *budget; /* the account it is booked in, or NULL */
	size_t booked;
	struct channel *channel; /* the channel of these members */
	struct hash members;
	struct member_conn_table conns;
	struct list order;
	uint64_t rosters;       /* slots whose workers have the roster */
	bool stale;             /* the list's bytes are stale */
	bool needed;            /* since a departure was cut out of them */
	bool unsorted;          /* a replay came out of order */
	size_t keys;            /* bytes; bounded together with conns.bytes */
	struct buf *ids, *hash; /* the list as it stands in frames */
};

/* Members without a connection; see suspects.h. */
struct suspects {
	struct list ticks;       /* struct suspects_tick, the earliest first */
	struct list recalled;    /* struct member: from rosters, in a replay */
	struct list unannounced; /* likewise; workers may not know them yet */
	ev_timer timer;
};

enum presence_joined {
	PRESENCE_FIRST,     /* the user is new */
	PRESENCE_MORE,      /* one more connection, or back in time */
	PRESENCE_FULL,      /* more than `max` users: refused */
	PRESENCE_TOO_LARGE, /* more than PRESENCE_MAX_BYTES: refused */
};

enum presence_left {
	PRESENCE_STAYS,   /* other connections are left */
	PRESENCE_GONE,    /* that was the user's last one */
	PRESENCE_UNKNOWN, /* there is no such connection */
};

struct presence *presence_new(struct channel *);
/* Frees all members; NULL is allowed. */
void presence_free(struct presence *);

/*
 * A connection of this worker joins as user `id`. info: raw JSON, or empty for
 * null. stamp: gives the order of joining, also for replayed subscriptions; the
 * oldest one decides about place and info.
 */
struct presence_join {
	unsigned slot;
	struct str id, info;
	uint64_t sid, stamp;
	uint32_t max; /* distinct users */
	bool replay;  /* it was admitted before: no bound applies */
};
/*
 * Adds a member that clients know and that has no connection, as a suspect at
 * the end of *suspects.  If the user is a member already, the member only gets
 * this place, if the place is older. info: as in frames.  True if the user is a
 * suspect now.
 */
bool presence_recall(struct presence *, struct str id, struct str info,
    uint64_t stamp, struct list *suspects);
bool presence_has(const struct presence *, struct str id);
/* Does the user's oldest subscription have this stamp? */
bool presence_is_oldest(const struct presence *, struct str id, uint64_t stamp);
enum presence_joined presence_join(
    struct presence *, const struct presence_join *);
/*
 * Removes a connection; if it is there twice (replays add before they remove),
 * the older one.
 */
enum presence_left presence_leave(
    struct presence *, unsigned slot, uint64_t sid, struct str id);
/*
 * A connection of this user is about to leave; its place is kept until then (0:
 * it is not).  The member if it stays without a connection; else NULL.
 */
struct member *presence_keep(
    struct presence *, struct str id, double now, double until);
/* A connection of a member that stays has ended.  False: there is none. */
bool presence_lose_conn(struct member *, unsigned slot, uint64_t sid);
/*
 * A worker is gone: its connections vanish.  Users without another connection
 * stay in the list until `due` and are appended to *suspects; a user who joins
 * again is removed from it.  Returns how many became suspects.
 */
size_t presence_drop(
    struct presence *, unsigned slot, double due, struct list *suspects);
/*
 * The clients of a worker, and their roster, are those of another one from now
 * on.
 */
void presence_move(struct presence *, unsigned from, unsigned to);
/*
 * Frees the members and the channel if nothing keeps them; false: the channel
 * was freed.
 */
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
struct member *presence_find(const struct presence *, struct str id);
/* As inside the string `data` of a frame. */
struct str member_info(const struct member *);
/*
 * Appends {"presence":{"ids":[…],"hash":{…},"count":n}} as inside the string
 * `data` of a frame.
 */
void presence_write(struct presence *, struct buf **b);
/* Calls back for each user in the order of joining. */
void presence_each(
    struct presence *, void (*fn)(void *arg, const struct member *), void *arg);

#endif
