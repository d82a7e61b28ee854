/* SPDX-License-Identifier: MIT */
#ifndef BROKER_WEBHOOK_EVENTS_H
#define BROKER_WEBHOOK_EVENTS_H

/*
 * Webhooks: tell the applications' servers about channels, members and client
 * events (Pusher documentation, "Webhooks").  While no app has an endpoint,
 * each observer costs one branch.
 */

#include <stdbool.h>
#include <stdint.h>

struct broker;
struct channel_events;

void webhook_events_init(struct broker *);
void webhook_events_clear(struct broker *);
/* The endpoints have changed: notes what is older than they are, ... */
void webhook_events_changed(struct broker *);
/* ... a portion in each turn; true: work is left. */
bool webhook_events_go_on(struct broker *);

/* Observes the channels. */
extern const struct channel_events webhook_observer;
/* Sends a test event to this endpoint: NULL, or why not. */
const char *webhook_events_test(struct broker *, uint32_t endpoint);

#endif
