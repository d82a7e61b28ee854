/* SPDX-License-Identifier: MIT */
/*
 * metrics.c: GET /metrics.  Any worker may be asked; the broker asks all of
 * them for their present numbers, and its answer is passed on unchanged.  Must
 * never count anything itself.
 */

#include "worker/api/metrics.h"

#include "worker/api/ask.h"

void
metrics_get(struct conn *c)
{
	const struct api_request r = { .c = c };

	if (api_may_ask(&r))
		api_ask(&r, QUERY_METRICS, 0, S(""), ANSWER_METRICS);
}
