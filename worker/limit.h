/* SPDX-License-Identifier: MIT */
#ifndef WORKER_LIMIT_H
#define WORKER_LIMIT_H

/* Token buckets and lengths.  Pure. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/str.h"

/*
 * A token bucket that holds `rate` tokens and gets `rate` more in each
 * second.  *at is when *tokens was right; 0: never used, so it is full.
 * Takes one token and returns true, or takes nothing.  Time in seconds, from
 * a clock that may stand still or jump back.
 */
bool limit_take(float *tokens, double *at, double now, uint32_t rate);
/* Characters (code points) of valid UTF-8. */
size_t limit_characters(struct str);
/* The longest beginning of valid UTF-8 that has at most max bytes. */
struct str limit_cut(struct str, size_t max);

#endif
