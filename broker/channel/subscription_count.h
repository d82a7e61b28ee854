/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CHANNEL_SUBSCRIPTION_COUNT_H
#define BROKER_CHANNEL_SUBSCRIPTION_COUNT_H

/*
 * pusher_internal:subscription_count (Pusher documentation, "Events"): tells
 * subscribers how many they are, for apps that want it and channels without
 * members.  Changes within 50 ms are one; above 100 subscribers there is at
 * most one in 5 seconds.
 */

#include <stdbool.h>

#include "shared/base/hash.h"

struct broker;
struct channel;

/* All channels, in portions. */
struct subscription_counts {
	bool due;
	struct hash_cursor at;
};

/* The channel has gained or lost one subscription. */
void subscription_count_changed(struct broker *, struct channel *);
/* Subscriptions may have changed unnoticed: checks all channels ... */
void subscription_count_all(struct broker *);
/* ... a portion in each turn; true: work is left. */
bool subscription_count_go_on(struct broker *);
/* Drops all pending counts (at the exit). */
void subscription_count_clear(struct broker *);

#endif
