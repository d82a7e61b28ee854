/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CHANNEL_REGISTRY_H
#define BROKER_CHANNEL_REGISTRY_H

/*
 * (app, channel) -> struct channel: its subscriptions, counted by worker slot.
 * A channel exists while it has a subscription, a member, or a cached event.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/hash.h"
#include "shared/base/list.h"
#include "shared/base/str.h"
#include "shared/proc/proc.h"

struct budget;
struct cached;
struct presence;
struct subscription_count;

/* A correct worker never sends a longer name. */
/* "#server-to-user-" and an id of 200 characters of four bytes fit. */
#define REGISTRY_NAME_MAX 1024

/* The channels of one app. */
struct registry_app {
	struct hash_node node;
	uint32_t num;
	struct registry *registry;
	uint32_t refs;        /* channels of any kind */
	uint32_t noccupied;   /* in the list below */
	uint64_t nsubs;       /* subscriptions, not hidden */
	struct list occupied; /* struct channel: subscribed, not hidden */
	struct list cursors;  /* struct registry_cursor */
	/* See departures.h. */
	struct list in_departures, departing; /* struct member */
	uint64_t told[2];
};

struct channel {
	struct hash_node node;
	struct list in_app; /* while occupied and not hidden */
	struct registry_app *app;
	struct presence *presence;            /* NULL without members */
	struct cached *cached;                /* NULL without an event */
	struct subscription_count *count_due; /* a change that is due */
	uint64_t slots; /* bit per worker that has subscribers */
	uint32_t total; /* subscriptions */
	uint16_t name_len;
	bool hidden;      /* '#': never listed, never counted */
	uint32_t count[]; /* per slot; behind them the name */
};

/* Walks the occupied channels of an app over several turns. */
struct registry_cursor {
	struct list in_app;
	struct registry_app *app;
	struct list *next; /* &app->occupied: the end */
};

struct registry {
	struct hash channels, apps;
	/*
	 * Slots whose workers are gone and whose counts are being removed.
	 * drop_dead() is called before a channel is used: it removes these
	 * counts, and returns the channel, or NULL if it was freed.
	 */
	uint64_t dying;
	/*
	 * In a cluster: slots of workers of other hosts, and of those that are
	 * gone here and whose end is in the stream.  Nothing is sent to them.
	 */
	uint64_t remote;
	/*
	 * A slot whose worker hands its clients to that of the slot `receiver`,
	 * which gets what is sent to them; 0: there is none.  moved: likewise,
	 * it has them: drop_dead() adds the counts to those of the receiver.
	 */
	uint64_t moving, moved;
	unsigned receiver;
	double dead_due[PROC_MAX_WORKERS]; /* when their members leave */
	struct hash_cursor dead_at;        /* see dead_slot.c */
	struct channel *(*drop_dead)(void *owner, struct channel *);
	void *owner;
	struct budget *budget; /* where channels are booked, or NULL */
	unsigned nslots;
	uint64_t noccupied; /* channels with subscriptions, not hidden */
	uint64_t nsubs[PROC_MAX_WORKERS]; /* by slot, not hidden */
};

void registry_init(struct registry *, unsigned nslots, struct budget *);
/* Frees the channels; presence, cache and subscription count must be gone. */
void registry_clear(struct registry *);

struct channel *registry_find(
    const struct registry *, uint32_t app, struct str name);
/* Finds or makes the channel. name: 1 to REGISTRY_NAME_MAX bytes. */
struct channel *registry_get(struct registry *, uint32_t app, struct str name);
/* Of these slots: those of the workers that get what is sent to them. */
static inline uint64_t
registry_targets(const struct registry *r, uint64_t slots)
{
	slots &= ~(r->dying | r->remote);
	if (slots & r->moving)
		slots = (slots & ~r->moving) | UINT64_C(1) << r->receiver;
	return slots;
}
/* The slot of the worker that gets what is sent to this one. */
static inline unsigned
registry_receiver(const struct registry *r, unsigned slot)
{
	return r->moving >> slot & 1 ? r->receiver : slot;
}
struct str registry_name(const struct registry *, const struct channel *);

/* May it be subscribed to?  A hidden channel follows from sign-ins. */
static inline bool
registry_name_is_open(struct str name)
{
	return name.n > 0 && name.n <= REGISTRY_NAME_MAX && name.p[0] != '#';
}

/* Adds one subscription of this worker. */
void registry_enter(struct registry *, struct channel *, unsigned slot);
/* Adds so many, 1 or more. */
void registry_enter_many(
    struct registry *, struct channel *, unsigned slot, uint32_t n);
/* Removes one: 0, or -1 when there is none. */
int registry_leave(struct registry *, struct channel *, unsigned slot);
/* Removes all subscriptions of this worker; returns how many there were. */
uint32_t registry_drop(struct registry *, struct channel *, unsigned slot);
/* Adds all of this worker to those of the receiver. */
void registry_move(struct registry *, struct channel *, unsigned slot);
/* The worker of this slot is gone; its members leave at `due`. */
void registry_lose(struct registry *, unsigned slot, double due);
/* The receiver has all clients of the slot that is moving. */
void registry_take_over(struct registry *);
/* Calls drop_dead() if the channel has counts of dying or moved slots. */
struct channel *registry_drop_dead(const struct registry *, struct channel *);
/* Frees the channel if nothing keeps it; false: it was freed. */
bool registry_release(struct registry *, struct channel *);

/* NULL when the app has no channels. */
struct registry_app *registry_app_find(const struct registry *, uint32_t app);

/*
 * Walks the channels.  Channels that come or go meanwhile are seen or not;
 * every other one is seen once. app may be NULL. registry_cursor_close() must
 * be called in any case.
 */
void registry_cursor_open(struct registry_cursor *, struct registry_app *);
struct channel *registry_cursor_next(struct registry_cursor *);
void registry_cursor_close(struct registry *, struct registry_cursor *);

#endif
