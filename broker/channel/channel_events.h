/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CHANNEL_CHANNEL_EVENTS_H
#define BROKER_CHANNEL_CHANNEL_EVENTS_H

/*
 * Callbacks by which channels report changes: br->events, which broker.c sets.
 * Webhooks use them; channels do not know that.
 */

#include <stdint.h>

#include "shared/base/str.h"

struct broker;
struct channel;
struct msg_event;

struct channel_events {
	/*
	 * A subscription came: the first one of the channel, or, with a
	 * user_id, the first one of this user.
	 */
	void (*entered)(
	    struct broker *, const struct channel *, struct str user_id);
	/* A subscription went; user_id: it was this user's last one. */
	void (*left)(
	    struct broker *, const struct channel *, struct str user_id);
	/* A subscriber found a cache channel empty; it has an event now. */
	void (*missed)(struct broker *, const struct channel *);
	void (*filled)(struct broker *, uint32_t app, struct str channel);
	/* Subscribers are told how many they are. */
	void (*counted)(struct broker *, const struct channel *);
	/* A client event was accepted. */
	void (*client_event)(struct broker *, const struct msg_event *);
};

#endif
