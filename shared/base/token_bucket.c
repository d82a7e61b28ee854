/* SPDX-License-Identifier: MIT */
/*
 * token_bucket.c: rate limits. A token bucket costs eight bytes and one
 * multiplication; it needs no timer, because the tokens that have flowed in
 * are computed on demand.
 *
 * Pure: no clock of its own, no state but the caller's.
 */

#include "shared/base/token_bucket.h"

#include "shared/base/base.h"

double
token_bucket_fill(
    double tokens, double *at, double now, double rate, double burst)
{
	if (*at == 0.)
		tokens = burst;
	else if (now > *at)
		tokens += (now - *at) * rate;
	*at = now;
	return MIN(tokens, burst);
}

bool
token_bucket_take(float *tokens, double *at, double now, uint32_t rate)
{
	return token_bucket_take_burst(tokens, at, now, rate, rate);
}

bool
token_bucket_take_burst(
    float *tokens, double *at, double now, uint32_t rate, uint32_t burst)
{
	double have = token_bucket_fill((double)*tokens, at, now, rate, burst);

	/* A third of a second ten times must not lose the last token. */
	if (have < 1. - 1e-4) {
		*tokens = (float)have;
		return false;
	}
	*tokens = have > 1. ? (float)(have - 1.) : 0.f;
	return true;
}
