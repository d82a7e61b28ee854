/* SPDX-License-Identifier: MIT */
#ifndef WORKER_CHANNEL_SUBSCRIPTION_H
#define WORKER_CHANNEL_SUBSCRIPTION_H

/*
 * A connection's subscription to a channel: pending (asked the broker), on
 * (confirmed), gone.  The broker answers each SUB; only then is it in the
 * topic, so that nothing of the channel precedes the confirmation.
 */

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "shared/base/hash.h"
#include "shared/base/list.h"
#include "shared/base/magic.h"
#include "shared/base/str.h"
#include "shared/ipc/ipc_msg.h"

struct conn;
struct topic;
struct worker;

/* A member of a presence channel, or a signed-in user. */
struct client_member {
	struct str id;        /* plain text */
	struct str info;      /* raw JSON, or empty */
	struct str watchlist; /* JSON array, or empty; signed in only */
	uint16_t nwatch;      /* its elements */
	char bytes[];         /* their place; see member_online() */
};

struct subscription {
	struct conn *c;
	struct topic *t;
	struct list in_conn;
	struct client_member *member; /* presence channels only */
	uint64_t stamp;               /* given by the broker, for a replay */
	uint64_t pos;                 /* likewise: see SUB_DONE */
	uint32_t back;
	uint32_t ref;        /* names it in SUB and SUB_DONE */
	uint32_t index;      /* in t->v while on */
	unsigned again : 14; /* SUB_AGAIN that were not answered */
	unsigned on : 1;
	unsigned user : 1; /* #server-to-user-…: made by the sign-in */
	uint16_t magic;    /* MAGIC_SUBSCRIPTION while it lives */
};

#define SUBSCRIPTION_AGAIN_MAX ((1u << 14) - 1)

/* The subscription that a list or a table leads to. */
static inline struct subscription *
subscription_living(struct subscription *s)
{
	assert(s->magic == MAGIC_SUBSCRIPTION);
	return s;
}
#define SUBSCRIPTION_OF(p) \
	subscription_living(LIST_ITEM(p, struct subscription, in_conn))

struct subscriptions {
	struct hash ended; /* ended ones that a new broker may need, by ref */
};

/* nwatch: the number of elements of the watchlist. */
struct client_member *member_new(
    struct str id, struct str info, struct str watch, uint16_t nwatch);
/*
 * The users of the watchlist that the client knows to be online: the bits of
 * SIGNIN_DONE, in as many bytes.
 */
char *member_online(struct client_member *);
static inline size_t
member_online_bytes(const struct client_member *m)
{
	return (m->nwatch + 7u) / 8;
}

/* This connection's subscription to the channel, or NULL. */
struct subscription *subscription_find(struct conn *, struct str channel);
/* Adds a pending subscription with a reference to its topic. */
struct subscription *subscription_new(struct conn *, struct str channel);
/*
 * All checks have passed: asks the broker to admit the connection.  member: for
 * presence channels, owned from now on; else NULL.
 */
void subscription_request(
    struct conn *, struct str channel, struct client_member *member);
/* Announces the connection's channels to a new broker. */
void subscription_replay(struct conn *);
/* The connection is subscribed already and asks once more. */
void subscription_again(struct subscription *);
/* Repeats to a new broker the questions that the old one did not answer. */
void subscription_ask_again(struct conn *);
/* SUB is sent again: with its present stamp. */
void subscription_restamp(struct worker *, char *p, size_t n);
/* Leaves the channel; s is freed. */
void subscription_end(struct subscription *);
/* The connection closes: leaves everything. */
void subscription_end_all(struct conn *);

/*
 * The broker's answer gives the position of the app's log: tells the client of
 * a session if there is no log, and asks others for their confirmation.
 */
void subscription_note(struct subscription *, uint64_t pos, uint32_t back);
/* The log of its app has restarted at pos; e: in conn.subs. */
void subscription_restart(struct list *e, uint64_t pos);

/*
 * For the handler of SUB_DONE.  admitted: the channel that the connection has
 * entered, or left unchanged.
 */
int subscription_on_done(
    struct worker *, const struct msg_sub_done *, struct str *admitted);
void subscriptions_free(struct worker *);

#endif
