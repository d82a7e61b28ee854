/* SPDX-License-Identifier: MIT */
/*
 * closes.c: the last connections that ended, in a ring.  Must never hold more
 * than CLOSES_MAX, and never trust a text of a worker.
 */

#include "broker/stats/closes.h"

#include <stdlib.h>

#include "broker/core/core.h"
#include "shared/base/str.h"
#include "shared/base/xmalloc.h"
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
	struct closes *h = br->closes;
	struct stats_close *to;

	if (h->v == NULL)
		h->v = xcalloc(CLOSES_MAX, sizeof(*h->v));
	to = &h->v[(h->first + h->n) % CLOSES_MAX];
	if (h->n < CLOSES_MAX)
		h->n++;
	else
		h->first = (h->first + 1) % CLOSES_MAX;
	*to = *c;
	make_safe(to->peer, sizeof(to->peer));
	make_safe(to->reason, sizeof(to->reason));
}

void
closes_clear(struct broker *br)
{
	free(br->closes->v);
	br->closes->v = NULL;
}
