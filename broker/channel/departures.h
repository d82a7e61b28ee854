/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CHANNEL_DEPARTURES_H
#define BROKER_CHANNEL_DEPARTURES_H

/*
 * Members leave as fast as the workers tell their channels of it.  What an app
 * has told and no worker has finished is bounded; above it members stay, and
 * their clients may come back unnoticed.
 */

#include <stdbool.h>
#include <stdint.h>

#include "shared/base/list.h"

struct broker;
struct channel;
struct member;

struct departures {
	struct list apps; /* struct registry_app: told something, or waits */
	bool any;         /* some members may wait */
	uint64_t told[2]; /* deliveries before the ping, and after it */
	uint64_t ping;    /* asks the workers whether they have come so far */
	uint64_t slots;   /* that have not answered it */
};

void departures_init(struct broker *);
/* A change of a member goes to the subscribers of this channel. */
void departures_count(struct broker *, const struct channel *);
/* Must a member of this channel that leaves wait? */
bool departures_must_wait(const struct broker *, const struct channel *);
/* This member without a connection leaves when it is its turn. */
void departures_add(struct broker *, struct member *);
/* Members leave, as many as may now; true: more can be done at once. */
bool departures_go_on(struct broker *);
/* This worker has come as far as the ping; UINT64_MAX: it is gone. */
void departures_on_pong(struct broker *, unsigned slot, uint64_t id);

#endif
