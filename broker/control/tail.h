/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CONTROL_TAIL_H
#define BROKER_CONTROL_TAIL_H

/*
 * Events as they pass, for pusherctl.  While nobody listens this costs the
 * test of br->ntaps; who listens too slowly misses events, and is told how
 * many.
 */

#include <stdbool.h>
#include <stdint.h>

#include "broker/channel/route.h"
#include "shared/base/str.h"

struct broker;
struct control_client;

struct tail {
	struct route_tap tap;
	struct control_client *cc;
	uint32_t app;    /* 0: every app */
	bool own;        /* ROUTE_OWN, too */
	uint64_t missed; /* not told yet */
	size_t pattern_len;
	char pattern[]; /* of the channel, with * and ?; empty: any */
};

void tail_begin(
    struct control_client *, uint32_t app, struct str pattern, bool own);
/* The client is gone; NULL is allowed. */
void tail_free(struct tail *);
/* Once a second: says what was missed, when there is room for that. */
void tail_tick(struct tail *);

#endif
