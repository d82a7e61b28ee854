/* SPDX-License-Identifier: MIT */
#ifndef BROKER_USER_USER_H
#define BROKER_USER_USER_H

/* Users, their sessions and watches, and the tables of them. */

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/hash.h"
#include "shared/base/list.h"
#include "shared/base/str.h"
#include "shared/proc/proc.h"

struct broker;
struct buf;
struct channel;

#define USERS_OFFLINE 3. /* seconds in which a user may come back */
/* Ids in a connection's watchlist, at most. */
#define USERS_WATCHLIST_MAX 1000

struct user {
	struct hash_node node;
	struct list watchers;    /* struct watch */
	struct list leaving;     /* in users->leaving */
	struct list telling;     /* in users->telling: watchers are told */
	double due;              /* leaving: the time of going offline */
	struct channel *channel; /* while it has sessions */
	uint32_t app;
	uint32_t nsessions;
	uint32_t nwatchers;
	uint32_t untold; /* of the watchers, the first ones */
	size_t id_len;
	char id[];
};

/* "The connection s watches the user u." */
struct watch {
	struct list in_user;
	struct session *s; /* NULL: it watches it no more */
	struct user *u;
	uint16_t at;   /* which element of its list */
	bool notified; /* the connection was told: online */
};

struct session {
	struct hash_node node; /* node.hash is hash_u64(sid) */
	struct list in_slot;
	struct user *user;
	struct buf *list; /* of a sign-in that waits; NULL: none */
	struct watch *watches;
	size_t nwatches;
	size_t nlist; /* elements of its list; some are repeated */
	uint64_t sid;
	unsigned slot;
	bool answered; /* SIGNIN_DONE was sent: changes follow */
};

struct users {
	struct hash by_id;     /* struct user, by (app, id) */
	struct hash by_sid;    /* struct session */
	struct list leaving;   /* struct user: about to go offline, by time */
	struct list telling;   /* struct user: watchers are told of its state */
	struct list ended;     /* lists that are freed; see watchlist.c */
	ev_timer offline;      /* of the first of these */
	bool incorrect;        /* watchers may have been told otherwise, from */
	struct hash_cursor at; /* … here on */
	struct list sessions[PROC_MAX_WORKERS]; /* by slot */
};

static inline struct str
user_id(const struct user *u)
{
	return str_make(u->id, u->id_len);
}

static inline bool
user_is_leaving(const struct user *u)
{
	return !list_is_empty(&u->leaving);
}

static inline bool
user_is_online(const struct user *u)
{
	return u->nsessions > 0 || user_is_leaving(u);
}

/* NULL: the user is unknown.  A user without sessions is only watched. */
struct user *users_find(const struct broker *, uint32_t app, struct str id);

struct user *user_get(struct broker *, uint32_t app, struct str id);
/* Frees the user if it is not needed. */
void user_release(struct broker *, struct user *);

#endif
