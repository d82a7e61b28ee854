/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CHANNEL_ROUTE_H
#define BROKER_CHANNEL_ROUTE_H

/* The hot path: an EVENT in, the same bytes out to each worker. */

#include <stdint.h>

#include "shared/base/list.h"
#include "shared/base/str.h"
#include "shared/ipc/ipc.h"

struct broker;
struct channel;

enum route_kind {
	ROUTE_EVENT,  /* published over HTTP or with pusherctl */
	ROUTE_CLIENT, /* a client event */
	ROUTE_OWN     /* member_added, subscription_count, ... */
};

/* Sees every passing event while it is in br->taps. */
struct route_tap {
	struct list link;
	void (*event)(
	    struct route_tap *, const struct msg_event *, enum route_kind);
};

struct route_taps {
	struct list all; /* br->ntaps of them */
};

void route_init(struct broker *);
void route_tap(struct broker *, struct route_tap *);
void route_untap(struct broker *, struct route_tap *);
/* Handler of EVENT; the owner is a struct peer. */
int route_on_event(void *owner, const struct ipc_in *);
/*
 * Sends an event of the broker itself to everyone in the channel.  It carries
 * the number of the message that is being handled, if there is one.
 */
void route_frame(struct broker *, const struct channel *, struct str frame);
/*
 * The same for a member that joins or leaves, to these of the channel's slots;
 * fills in app, channel and number.
 */
void route_member(struct broker *, const struct channel *, uint64_t slots,
    struct msg_member *);
/*
 * Publishes an event of the control socket, which gets its number in the app's
 * log. flags say whether it is stored as the channel's last one.  Returns the
 * number of subscriptions in the channel.
 */
uint32_t route_publish(struct broker *, struct msg_event *);

#endif
