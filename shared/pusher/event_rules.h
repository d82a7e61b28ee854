/* SPDX-License-Identifier: MIT */
#ifndef SHARED_PUSHER_EVENT_RULES_H
#define SHARED_PUSHER_EVENT_RULES_H

/*
 * The rules for names and sizes of events, and the sentence for each of them:
 * for the API, for clients and for pusherctl.  A function returns NULL, or a
 * sentence that names the limit, the value and the setting; its text lies in
 * the struct.
 */

#include <stddef.h>

#include "shared/base/str.h"

struct event_rule {
	char text[256];
};

/* The name of a channel, or #server-to-user-<id> unless max_user is 0. */
const char *event_rule_channel(
    struct event_rule *, struct str name, unsigned max, unsigned max_user);
const char *event_rule_user(struct event_rule *, struct str id, unsigned max);
/* The name of an event: its length. */
const char *event_rule_length(
    struct event_rule *, struct str event, unsigned max);
/* Its length, and that it is no name of the server's own events. */
const char *event_rule_name(
    struct event_rule *, struct str event, unsigned max);
/* Bytes of an event's data. */
const char *event_rule_data(struct event_rule *, size_t bytes, unsigned max);

#endif
