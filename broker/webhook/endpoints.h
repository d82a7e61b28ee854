/* SPDX-License-Identifier: MIT */
#ifndef BROKER_WEBHOOK_ENDPOINTS_H
#define BROKER_WEBHOOK_ENDPOINTS_H

/* The webhook endpoints of the apps, from the database, and their filters. */

#include <stdbool.h>
#include <stdint.h>

#include "shared/app/appdb.h"
#include "shared/base/buf.h"
#include "shared/base/hash.h"
#include "shared/pusher/webhook.h"

struct broker;

/* The endpoints of one app. */
struct webhook_app {
	struct hash_node node;
	uint32_t num;
	uint32_t mask; /* of all enabled ones together */
	struct webhook *v;
	size_t n;
};

struct webhook_endpoints {
	char database[APPDB_UUID_LEN + 1];
	struct hash apps; /* struct webhook_app */
};

/* Reads all endpoints.  0, or -1 with appdb_error(): nothing has changed. */
int webhook_endpoints_read(struct broker *, struct appdb *);
void webhook_endpoints_clear(struct broker *);

/* NULL when the app has no endpoint. */
const struct webhook_app *webhook_endpoints_find(
    const struct broker *, uint32_t app);
/*
 * True when an endpoint wants one of these kinds of events from this channel.
 */
bool webhook_endpoints_wants(
    const struct webhook_app *, uint32_t mask, struct str channel);
/* Appends the numbers of the endpoints that want the event. */
void webhook_endpoints_match(const struct webhook_app *, enum webhook_kind,
    struct str channel, struct buf **numbers);
/* The endpoint with this number, or NULL. */
const struct webhook *webhook_endpoints_endpoint(
    const struct broker *, uint32_t num);

#endif
