/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CONTROL_TAIL_H
#define BROKER_CONTROL_TAIL_H

/*
 * Events as they pass, for pusherctl.  While nobody listens this costs the
 * test of br->ntails; who listens too slowly misses events, and is told how
 * many.
 */

#include <stdbool.h>
#include <stdint.h>

#include "shared/base/list.h"
#include "shared/base/str.h"

struct broker;
struct control_client;
struct msg_event;
struct msg_member;

enum tail_kind {
	TAIL_EVENT,  /* published over HTTP or with pusherctl */
	TAIL_CLIENT, /* a client event */
	TAIL_OWN     /* member_added, subscription_count, … */
};

struct tail {
	struct list link; /* in br->control->tails */
	struct control_client *k;
	uint32_t app;    /* 0: every app */
	bool own;        /* TAIL_OWN, too */
	uint64_t missed; /* not told yet */
	size_t pattern_len;
	char pattern[]; /* of the channel, with * and ?; empty: any */
};

void tail_begin(
    struct control_client *, uint32_t app, struct str pattern, bool own);
/* The client is gone; NULL is allowed. */
void tail_free(struct tail *);
/* An event passes.  Only to be called while br->ntails != 0. */
void tail_event(struct broker *, const struct msg_event *, enum tail_kind);
/* The same for a change of members; the frame is made for it. */
void tail_member(struct broker *, const struct msg_member *);
/* Once a second: says what was missed, when there is room for that. */
void tail_tick(struct tail *);

#endif
