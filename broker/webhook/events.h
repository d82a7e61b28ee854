/* SPDX-License-Identifier: MIT */
#ifndef BROKER_WEBHOOK_EVENTS_H
#define BROKER_WEBHOOK_EVENTS_H

/*
 * Webhooks: what the applications' servers are told of what happens here
 * (Pusher documentation, "Webhooks").  When no app has an endpoint, each of
 * these functions costs one branch.
 */

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "broker/webhook/queue.h"
#include "shared/app/appdb.h"
#include "shared/base/hash.h"
#include "shared/base/list.h"
#include "shared/base/str.h"

struct broker;
struct channel_events;
struct peer;

#define HOOKS_HOLD 3. /* seconds for which vacated and removed wait */

struct webhook_events {
	char database[APPDB_UUID_LEN + 1];
	bool active;           /* there is an endpoint, or a fact is left */
	struct hash apps;      /* struct hook_app */
	struct hash facts;     /* struct webhook_state */
	struct list held;      /* facts that are over, by time */
	struct list untold;    /* struct hook_line with facts that wait */
	uint32_t nmissed;      /* facts with a cache miss */
	ev_timer timer;        /* of held and untold */
	bool told;             /* the courier has said what it has told */
	unsigned unsettled;    /* walks over all facts that are left, */
	struct hash_cursor at; /* and where this one is */
	bool settled; /* it is, and workers are known: events may be told */
	struct webhook_queue queue;
};

void webhook_events_init(struct broker *);
void webhook_events_clear(struct broker *);
/* The endpoints have changed. */
void webhook_events_changed(struct broker *);

/* Observes the channels. */
extern const struct channel_events hooks_events;
/* An event of no meaning for this endpoint: NULL, or why not. */
const char *hooks_test(struct broker *, uint32_t endpoint);

/* The app's line, with its owner. */
struct hook_line *webhook_events_line(struct broker *, uint32_t app);
/* Fills in time and owner, and queues it. */
void webhook_events_put(struct broker *, struct msg_hook *);

/* The workers have said what they have (resync.h). */
void webhook_events_on_live(struct broker *);
/* … a portion in each turn; true: more are left. */
bool webhook_events_go_on(struct broker *);
/* The queue has become shorter. */
void webhook_events_on_room(struct broker *);
/* Handlers of HOOK_STATE, HOOK_STATES_DONE. */
int webhook_events_on_state(struct peer *, const struct msg_hook_state *);
int webhook_events_on_states_done(
    struct peer *, const struct msg_hook_states_done *);

#endif
