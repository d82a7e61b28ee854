/* SPDX-License-Identifier: MIT */
#ifndef BROKER_WEBHOOK_FACT_H
#define BROKER_WEBHOOK_FACT_H

/*
 * What webhooks tell of: occupied channels (user is empty) and members, and
 * whether it has been told.
 */

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "shared/base/str.h"

struct broker;
struct fact;

struct fact_key {
	uint32_t app;
	struct str channel, user;
};

/* NULL: there is none. */
struct fact *fact_find(struct broker *, const struct fact_key *);
/* Made when it is missing and some endpoint wants to know; else NULL. */
struct fact *fact_get(struct broker *, const struct fact_key *);
/* It is so now: tells, unless it has been told. */
void fact_begin(struct broker *, struct fact *);
/* It is over: is told in three seconds, unless it begins again.  May free. */
void fact_end(struct broker *, struct fact *);
/* A cache miss in this channel: told once until it is filled or vacated. */
void fact_miss(struct broker *, struct fact *);
void fact_fill(struct broker *, struct fact *);
/* It has been so before anybody wanted to know: only its end is news. */
void fact_seed(struct broker *, const struct fact_key *);
/* An earlier broker has told it. */
void fact_told(struct broker *, const struct fact_key *, bool missed);

/* What is so and what was told are known: tells the difference. */
void facts_settle(struct broker *);
/* … a portion in each turn; true: more are left. */
bool facts_go_on(struct broker *);
/* Tells what had to wait, as far as there is room. */
void facts_tell_untold(struct broker *);
/* br->hooks->timer */
void facts_on_timer(struct ev_loop *, ev_timer *, int);
void facts_clear(struct broker *);
/* Nobody is told anything: the number belongs to another app now. */
void facts_forget(struct broker *, uint32_t app);

#endif
