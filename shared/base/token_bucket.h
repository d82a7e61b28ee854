/* SPDX-License-Identifier: MIT */
#ifndef WORKER_APP_TOKEN_BUCKET_H
#define WORKER_APP_TOKEN_BUCKET_H

/*
 * Token buckets.  Pure.  Time is in seconds, from a clock that may stand still
 * or jump back.
 */

#include <stdbool.h>
#include <stdint.h>

/*
 * Tokens in a bucket now.  It holds at most `burst` and gets `rate` a second;
 * at *at it held `tokens`; *at 0: it was never used and is full.  Sets *at.
 */
double token_bucket_fill(
    double tokens, double *at, double now, double rate, double burst);
/* Takes one token and returns true, or takes none; it holds `rate`. */
bool token_bucket_take(float *tokens, double *at, double now, uint32_t rate);
/* The same with a bucket that holds `burst` tokens. */
bool token_bucket_take_burst(
    float *tokens, double *at, double now, uint32_t rate, uint32_t burst);
#endif
