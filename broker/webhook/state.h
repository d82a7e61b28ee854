/* SPDX-License-Identifier: MIT */
#ifndef BROKER_WEBHOOK_STATE_H
#define BROKER_WEBHOOK_STATE_H

/*
 * The lasting states that webhooks report: occupied channels (user is empty)
 * and members, and whether the application has been notified of each.
 */

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "shared/base/hash.h"
#include "shared/base/list.h"
#include "shared/base/str.h"

struct broker;
struct webhook_state;

#define WEBHOOK_STATE_USER_MAX 4096 /* bytes of a user id */
#define WEBHOOK_GRACE 3. /* seconds for which the end of a state waits */

struct webhook_states {
	bool active;         /* there is an endpoint, or a state is left */
	struct hash all;     /* struct webhook_state */
	struct list ended;   /* states whose end is reported later, by time */
	struct list pending; /* struct webhook_line with states that wait */
	uint32_t nmissed;    /* states with a cache miss */
	ev_timer timer;      /* of ended and pending */
	/*
	 * In a cluster.  silent: another host notifies; lease: until when this
	 * one may, by broker_now().  Without a cluster it always may.
	 */
	bool silent;
	double lease;
	bool known; /* the courier has sent the notified states, */
	bool stale; /* ... but other hosts have newer ones */
	/* known, and the workers have replayed: notifications may go out */
	bool synced;
	unsigned passes;       /* over all states, that are left to sync them */
	struct hash_cursor at; /* of the current pass */
	/* New endpoints: the channels from here on are older than they are. */
	bool seeding;
	struct hash_cursor seed_at;
};

struct webhook_state_key {
	uint32_t app;
	struct str channel, user;
};

/* NULL: there is none. */
struct webhook_state *webhook_state_find(
    struct broker *, const struct webhook_state_key *);
/* Made if it is missing and some endpoint wants it; else NULL. */
struct webhook_state *webhook_state_get(
    struct broker *, const struct webhook_state_key *);
/* The state is present now: notifies the application, unless that was done. */
void webhook_state_begin(struct broker *, struct webhook_state *);
/*
 * The state has ended: notifies after WEBHOOK_GRACE, unless it begins again.
 * May free it.
 */
void webhook_state_end(struct broker *, struct webhook_state *);
/* A cache miss: reported once until the channel is filled or vacated. */
void webhook_state_miss(struct broker *, struct webhook_state *);
void webhook_state_fill(struct broker *, struct webhook_state *);
/* Marks the state as notified: it was present before there was an endpoint. */
void webhook_state_seed(struct broker *, const struct webhook_state_key *);
/* An earlier broker has notified the application of the state. */
void webhook_state_notified(
    struct broker *, const struct webhook_state_key *, bool missed);

/* Does the application know the state? */
bool webhook_state_is_notified(
    struct broker *, const struct webhook_state_key *);
void webhook_state_free(struct broker *, struct webhook_state *);
/* Another host has notified the application that the state has ended. */
void webhook_state_ended(struct broker *, const struct webhook_state_key *);
/* Calls back for each state that the application knows, and its cache miss. */
void webhook_states_each(struct broker *,
    void (*)(void *, const struct webhook_state_key *, bool missed), void *);
/*
 * Another host notifies from now on, or this one does: it reports the
 * difference between what the application knows and what is.
 */
void webhook_states_set_silent(struct broker *, bool silent);
/* Other hosts tell what the application knows: what is on disk is forgotten. */
void webhook_states_distrust(struct broker *);
/* Tells the outbox alone that the application does not know the state. */
void webhook_state_unknown(
    struct broker *, const struct webhook_state_key *, struct str owner);

void webhook_states_init(struct broker *);
void webhook_states_clear(struct broker *);
/*
 * Once the courier has sent the notified states and the workers have replayed
 * the present ones: reports the difference.
 */
void webhook_states_sync(struct broker *);
/* ... a portion in each turn; true: work is left. */
bool webhook_states_go_on(struct broker *);
/* Reports pending states, as far as there is room. */
void webhook_states_notify(struct broker *);
/*
 * Frees the states of an app without notice: its number is another app's now.
 */
void webhook_states_forget(struct broker *, uint32_t app);

#endif
