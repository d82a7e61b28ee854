/* SPDX-License-Identifier: MIT */
#ifndef BROKER_WEBHOOK_STATE_H
#define BROKER_WEBHOOK_STATE_H

/*
 * What webhooks tell of: occupied channels (user is empty) and members, and
 * whether it has been told.
 */

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "shared/base/str.h"

struct broker;
struct webhook_state;

struct webhook_state_key {
	uint32_t app;
	struct str channel, user;
};

/* NULL: there is none. */
struct webhook_state *webhook_state_find(
    struct broker *, const struct webhook_state_key *);
/* Made when it is missing and some endpoint wants to know; else NULL. */
struct webhook_state *webhook_state_get(
    struct broker *, const struct webhook_state_key *);
/* It is so now: tells, unless it has been told. */
void webhook_state_begin(struct broker *, struct webhook_state *);
/* It is over: is told in three seconds, unless it begins again.  May free. */
void webhook_state_end(struct broker *, struct webhook_state *);
/* A cache miss in this channel: told once until it is filled or vacated. */
void webhook_state_miss(struct broker *, struct webhook_state *);
void webhook_state_fill(struct broker *, struct webhook_state *);
/* It has been so before anybody wanted to know: only its end is news. */
void webhook_state_seed(struct broker *, const struct webhook_state_key *);
/* An earlier broker has told it. */
void webhook_state_told(
    struct broker *, const struct webhook_state_key *, bool missed);

/* What is so and what was told are known: tells the difference. */
void facts_settle(struct broker *);
/* … a portion in each turn; true: more are left. */
bool facts_go_on(struct broker *);
/* Tells what had to wait, as far as there is room. */
void facts_tell_untold(struct broker *);
/* br->webhooks->timer */
void facts_on_timer(struct ev_loop *, ev_timer *, int);
void facts_clear(struct broker *);
/* Nobody is told anything: the number belongs to another app now. */
void facts_forget(struct broker *, uint32_t app);

#endif
