/* SPDX-License-Identifier: MIT */
/*
 * token_bucket.c: rate limits. A token bucket costs eight bytes and one
 * multiplication; it needs no timer, because the tokens that have flowed in
 * are computed on demand.
 *
 * Pure: no clock of its own, no state but the caller's.
 */

#include "worker/app/token_bucket.h"

bool
token_bucket_take(float *tokens, double *at, double now, uint32_t rate)
{
	return token_bucket_take_burst(tokens, at, now, rate, rate);
}

bool
token_bucket_take_burst(
    float *tokens, double *at, double now, uint32_t rate, uint32_t burst)
{
	double have = (double)*tokens;

	if (*at == 0.)
		have = (double)burst;
	else if (now > *at)
		have += (now - *at) * (double)rate;
	if (have > (double)burst)
		have = (double)burst;
	*at = now;
	/* A third of a second ten times over must not lose the last token. */
	if (have < 1. - 1e-4) {
		*tokens = (float)have;
		return false;
	}
	*tokens = have > 1. ? (float)(have - 1.) : 0.f;
	return true;
}

struct str
utf8_cut(struct str s, size_t max)
{
	if (s.n <= max)
		return s;
	while (max > 0 && ((unsigned char)s.p[max] & 0xc0) == 0x80)
		max--;
	return str_make(s.p, max);
}
