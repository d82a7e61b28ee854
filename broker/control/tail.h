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

struct app;
struct control_client;
struct ring_record;

/* What is wanted. */
struct tailing {
	uint32_t app;      /* 0: every app */
	bool own;          /* ROUTE_OWN, too */
	uint64_t since_ms; /* first what the app's log has since then; or 0 */
};

struct tail {
	struct route_tap tap;
	struct control_client *cc;
	struct tailing what;
	bool behind;     /* it reads the log */
	uint64_t at;     /* how far; see ring_next() */
	uint64_t next;   /* the number that comes there; 0: any */
	uint64_t missed; /* not told yet */
	size_t pattern_len;
	char pattern[]; /* of the channel, with * and ?; empty: any */
};

void tail_begin(
    struct control_client *, const struct tailing *, struct str pattern);
/* Portion by portion, while there is room: what the log has. */
void tail_go_on(struct tail *);
/* The row of a logged event. */
void tail_put(
    struct control_client *, const struct app *, const struct ring_record *);
/* The client is gone; NULL is allowed. */
void tail_free(struct tail *);
/* Once a second: says what was missed, when there is room for that. */
void tail_tick(struct tail *);

#endif
