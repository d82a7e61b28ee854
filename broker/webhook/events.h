/* SPDX-License-Identifier: MIT */
#ifndef BROKER_WEBHOOK_EVENTS_H
#define BROKER_WEBHOOK_EVENTS_H

/*
 * Webhooks: tell the applications' servers about channels, members and client
 * events (Pusher documentation, "Webhooks").  While no app has an endpoint,
 * each observer costs one branch.
 */

#include <stdint.h>

struct broker;
struct channel_events;

void webhook_events_init(struct broker *);
void webhook_events_clear(struct broker *);
/* The endpoints have changed. */
void webhook_events_changed(struct broker *);

/* Observes the channels. */
extern const struct channel_events webhook_observer;
/* Sends a test event to this endpoint: NULL, or why not. */
const char *webhook_events_test(struct broker *, uint32_t endpoint);

#endif
