/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CHANNEL_CHANNEL_EVENTS_H
#define BROKER_CHANNEL_CHANNEL_EVENTS_H

/*
 * Callbacks by which channels report changes: br->events, which order.c makes.
 * Webhooks and the doctor use them; channels know neither of them.
 */

#include <stdint.h>

#include "shared/base/str.h"

struct broker;
struct channel;
struct msg_event;

struct channel_events {
	/*
	 * A subscription was added: the channel's first one, or, with a
	 * user_id, this user's first one.
	 */
	void (*entered)(
	    struct broker *, const struct channel *, struct str user_id);
	/* A subscription was removed; user_id: it was this user's last one. */
	void (*left)(
	    struct broker *, const struct channel *, struct str user_id);
	/*
	 * A subscriber found a cache channel empty; the channel has an event
	 * now.
	 */
	void (*missed)(struct broker *, const struct channel *);
	void (*filled)(struct broker *, uint32_t app, struct str channel);
	/* The subscribers are told the new count. */
	void (*counted)(struct broker *, const struct channel *);
	/* An event was published, and nobody is subscribed. */
	void (*unheard)(struct broker *, uint32_t app, struct str channel);
	/* The broker has refused a subscription, for which it says why. */
	void (*refused)(
	    struct broker *, uint32_t app, struct str channel, struct str why);
	/* A client event was accepted. */
	void (*client_event)(struct broker *, const struct msg_event *);
};

#endif
