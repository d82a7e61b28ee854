/* SPDX-License-Identifier: MIT */
#ifndef WORKER_APP_TOKEN_BUCKET_H
#define WORKER_APP_TOKEN_BUCKET_H

/* Token buckets and lengths.  Pure. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/str.h"

/* The buckets of one connection. */
struct pace {
	double events_at, messages_at; /* when the tokens were right */
	float events;                  /* client events */
	float messages;                /* all messages, */
	float flood;                   /* and those before it is closed */
	float bad;                     /* messages that make no sense */
	double bad_at;
};

/*
 * A token bucket that holds `rate` tokens and gets `rate` more in each
 * second.  *at is when *tokens was right; 0: never used, so it is full.
 * Takes one token and returns true, or takes nothing.  Time in seconds, from
 * a clock that may stand still or jump back.
 */
bool token_bucket_take(float *tokens, double *at, double now, uint32_t rate);
/* The same with a bucket that holds `burst` tokens. */
bool token_bucket_take_burst(
    float *tokens, double *at, double now, uint32_t rate, uint32_t burst);
/* The longest beginning of valid UTF-8 that has at most max bytes. */
struct str utf8_cut(struct str, size_t max);

#endif
