/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CONTROL_TAIL_H
#define BROKER_CONTROL_TAIL_H

/*
 * Passing events, for pusherctl.  Without a client this costs the test of
 * br->ntaps.  A client that reads too slowly loses events, and is told how
 * many.
 */

#include <stdbool.h>
#include <stdint.h>

#include "shared/base/str.h"

struct app;
struct control_client;
struct ring_record;

/* Which events the client wants. */
struct tailing {
	uint32_t app;      /* 0: every app */
	bool own;          /* ROUTE_OWN, too */
	uint64_t since_ms; /* from this time in the app's log; or 0 */
};

/* pattern: of the channel, with * and ?; empty: all. */
void tail_begin(
    struct control_client *, const struct tailing *, struct str pattern);
/* Writes the row of a logged event. */
void tail_put(
    struct control_client *, const struct app *, const struct ring_record *);

#endif
