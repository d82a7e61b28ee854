/* SPDX-License-Identifier: MIT */
#ifndef BROKER_WEBHOOK_HOOKS_H
#define BROKER_WEBHOOK_HOOKS_H

/*
 * Webhooks: what the applications' servers are told of what happens here
 * (Pusher documentation, "Webhooks").  When no app has an endpoint, each of
 * these functions costs one branch.
 */

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "broker/webhook/hook_queue.h"
#include "shared/app/appdb.h"
#include "shared/base/hash.h"
#include "shared/base/list.h"
#include "shared/base/str.h"

struct broker;
struct channel_events;
struct peer;

#define HOOKS_HOLD 3. /* seconds for which vacated and removed wait */

struct hooks {
	char database[APPDB_UUID_LEN + 1];
	bool active;           /* there is an endpoint, or a fact is left */
	struct hash apps;      /* struct hook_app */
	struct hash facts;     /* struct fact */
	struct list held;      /* facts that are over, by time */
	struct list untold;    /* struct hook_line with facts that wait */
	uint32_t nmissed;      /* facts with a cache miss */
	ev_timer timer;        /* of held and untold */
	bool told;             /* the courier has said what it has told */
	unsigned unsettled;    /* walks over all facts that are left, */
	struct hash_cursor at; /* and where this one is */
	bool settled; /* it is, and workers are known: events may be told */
	struct hook_queue queue;
};

void hooks_init(struct broker *);
void hooks_clear(struct broker *);
/* The endpoints have changed. */
void hooks_changed(struct broker *);

/* Observes the channels. */
extern const struct channel_events hooks_events;
/* An event of no meaning for this endpoint: NULL, or why not. */
const char *hooks_test(struct broker *, uint32_t endpoint);

/* The app's line, with its owner. */
struct hook_line *hooks_line(struct broker *, uint32_t app);
/* Fills in time and owner, and queues it. */
void hooks_put(struct broker *, struct msg_hook *);

/* The workers have said what they have (resync.h). */
void hooks_on_live(struct broker *);
/* … a portion in each turn; true: more are left. */
bool hooks_go_on(struct broker *);
/* The queue has become shorter. */
void hooks_on_room(struct broker *);
/* Handlers of TOLD, TOLD_DONE. */
int hooks_on_told(struct peer *, const struct msg_told *);
int hooks_on_told_done(struct peer *, const struct msg_told_done *);

#endif
