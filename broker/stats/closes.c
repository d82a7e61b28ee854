/* SPDX-License-Identifier: MIT */
/*
 * closes.c: the last connections that ended, as the workers report them.  Must
 * never trust a text of a worker.
 */

#include "broker/stats/closes.h"

#include "broker/core/core.h"
#include "shared/base/str.h"
#include "shared/net/ws_frame.h"

/* Makes the bytes valid UTF-8 with an end. */
static void
make_safe(char *text, size_t size)
{
	text[size - 1] = '\0';
	if (!utf8_is_valid(str_of(text)))
		text[0] = '\0';
}

void
closes_add(struct broker *br, const struct stats_close *c)
{
	struct stats_close *to = last_closes_add(br->closes, c->app);

	*to = *c;
	make_safe(to->peer, sizeof(to->peer));
	make_safe(to->reason, sizeof(to->reason));
}
