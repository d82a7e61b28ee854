/* SPDX-License-Identifier: MIT */
#ifndef SHARED_PUSHER_WEBHOOK_H
#define SHARED_PUSHER_WEBHOOK_H

/*
 * Webhooks (Pusher documentation, "Webhooks"): the events, headers and
 * addresses of an endpoint, the bytes of a request and their signature.  Pure:
 * nothing here sends.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "shared/base/buf.h"
#include "shared/base/str.h"
#include "shared/crypto/sign.h"

/* HOOK.kind */
enum webhook_kind {
	WEBHOOK_OCCUPIED,
	WEBHOOK_VACATED,
	WEBHOOK_MEMBER_ADDED,
	WEBHOOK_MEMBER_REMOVED,
	WEBHOOK_CLIENT_EVENT,
	WEBHOOK_CACHE_MISS,
	WEBHOOK_COUNT,
	WEBHOOK_KINDS,                /* the kinds that an endpoint chooses */
	WEBHOOK_TEST = WEBHOOK_KINDS, /* pusherctl webhook test */
	WEBHOOK_FILLED,               /* only ends a cache miss; no event */
	WEBHOOK_KINDS_ALL
};

#define WEBHOOK_URL_MAX 2048
#define WEBHOOK_FILTER_MAX 255
#define WEBHOOK_HEADERS_MAX 4096 /* bytes of all of them */

/* An endpoint: a row of the table webhooks. */
struct webhook {
	uint32_t num, app; /* row numbers; never used again */
	char *url;
	char *events;  /* names, separated by blanks; "": all */
	uint32_t mask; /* the same: a bit per enum webhook_kind */
	char *prefix, *suffix, *glob; /* of the channel; "": any */
	char *headers;                /* lines "Name: value", each with \n */
	uint32_t batch, enabled;
};

/* Every text empty, enabled, no batches. */
void webhook_init(struct webhook *);
void webhook_clear(struct webhook *);
/* out is empty or cleared. */
void webhook_copy(struct webhook *out, const struct webhook *);
/*
 * Sets one option (url, events, channel-prefix, channel-suffix,
 * channel-glob, headers, batch, enabled) from text; events may be separated
 * by commas; batch and enabled are on or off.  0, or -1 and *why, a sentence;
 * free(3) it.
 */
int webhook_set(
    struct webhook *, const char *option, const char *value, char **why);
/* Adds one "Name: value": 0, or -1 and *why. */
int webhook_add_header(struct webhook *, const char *line, char **why);

/* "channel_occupied", ...; "?" for an unknown kind. */
const char *webhook_kind_name(enum webhook_kind);
/* Does the channel pass every filter? */
bool webhook_wants_channel(const struct webhook *, struct str channel);

/*
 * May a request go to this address?  Not to private, link-local, loopback,
 * multicast and reserved addresses, nor to IPv6 addresses that embed one of
 * them.
 */
bool webhook_addr_is_public(const struct sockaddr *);
/*
 * Is the host of this URL written as an address that is not public, or
 * localhost?  Looks no name up.
 */
bool webhook_url_is_closed(const char *url);

/* One element of "events".  user_id is left out when it is empty. */
void webhook_put_event(
    struct buf **b, enum webhook_kind, struct str channel, struct str user_id);
void webhook_put_count(struct buf **b, struct str channel, uint32_t count);
/*
 * A client event; event, data and user_id are raw JSON strings, user_id may
 * be empty.
 */
struct webhook_client_event {
	struct str channel, event, data, user_id;
	uint64_t sid;
};
void webhook_put_client_event(
    struct buf **b, const struct webhook_client_event *);
/*
 * Adds the member "id" to an element.  In a cluster all hosts make the same id
 * of the same event: of its mark, a number that no other event of this kind and
 * channel, and of this user or client, has.  mark 0: adds nothing.
 */
void webhook_put_id(struct buf **b, uint64_t mark, struct str app_id,
    enum webhook_kind, struct str channel, struct str user_id);
/* The body; events: elements with commas between them. */
void webhook_put_body(struct buf **b, uint64_t time_ms, struct str events);

#endif
