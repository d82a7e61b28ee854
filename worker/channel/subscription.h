/* SPDX-License-Identifier: MIT */
#ifndef WORKER_CHANNEL_SUBSCRIPTION_H
#define WORKER_CHANNEL_SUBSCRIPTION_H

/*
 * A connection's subscription to a channel: pending (asked the broker), on
 * (confirmed), gone.  The broker answers each SUB; only then is it in the
 * topic, so that nothing of the channel precedes the confirmation.
 */

#include <stdbool.h>
#include <stdint.h>

#include "shared/base/list.h"
#include "shared/base/str.h"
#include "shared/ipc/ipc_msg.h"

struct conn;
struct topic;
struct worker;

/* Who somebody is, in a presence channel or signed in. */
struct member {
	struct str id;        /* plain text */
	struct str info;      /* raw JSON, or empty */
	struct str watchlist; /* JSON array, or empty; signed in only */
	uint16_t nwatch;      /* its elements */
	char bytes[];         /* where they lie; see member_online() */
};

struct subscription {
	struct conn *c;
	struct topic *t;
	struct list in_conn;
	struct member *member; /* presence channels only */
	uint64_t stamp;        /* the broker's, for a replay */
	uint32_t ref;          /* names it in SUB and SUB_DONE */
	uint32_t index;        /* in t->v while on */
	uint16_t again;        /* SUB_AGAIN that were not answered */
	bool on;
	bool user; /* #server-to-user-…: made by the sign-in */
};

/* nwatch: the elements of the watchlist. */
struct member *member_new(
    struct str id, struct str info, struct str watch, uint16_t nwatch);
/*
 * Who of the watchlist is online, as the client has been told: the bits of
 * SIGNIN_DONE, in so many bytes.
 */
char *member_online(struct member *);
static inline size_t
member_online_bytes(const struct member *m)
{
	return (m->nwatch + 7u) / 8;
}

/* This connection's subscription to the channel, or NULL. */
struct subscription *subscription_find(struct conn *, struct str channel);
/*
 * Everything has been checked: asks the broker to let the connection in.
 * member: for presence channels, owned from now on; else NULL.
 */
void subscription_request(
    struct conn *, struct str channel, struct member *member);
/* By the number that SUB_DONE gives; NULL: there is none. */
struct subscription *subscription_by_ref(struct conn *, uint32_t ref);
/* Says to a new broker that this connection is, or was, in the channel. */
void subscription_replay(
    struct worker *, const struct subscription *, uint64_t sid);
/* It is subscribed already and asks once more. */
void subscription_again(struct subscription *);
/* Asks a new broker what the old one did not answer. */
void subscription_ask_again(struct subscription *);
/* Leaves the channel; s is gone. */
void subscription_end(struct subscription *);
/* The connection closes: leaves everything. */
void subscription_end_all(struct conn *);

/* Handlers of SUB_DONE. */
int subscription_on_done(struct worker *, const struct msg_sub_done *);

#endif
