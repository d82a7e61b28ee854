/* SPDX-License-Identifier: MIT */
/*
 * ws_part.c: an incomplete WebSocket message, or one that waits to be unpacked.
 * Owns c->part.
 */

#include "worker/conn/ws_part.h"

#include <stdlib.h>

#include "shared/base/buf.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "shared/net/ws_frame.h"
#include "worker/conn/conn.h"
#include "worker/conn/input.h"
#include "worker/core/core.h"

struct ws_part *
ws_part_new(struct conn *c, const struct ws_head *h)
{
	struct ws_part *part = c->part = xcalloc(1, sizeof(*part));

	part->max = (size_t)c->w->conf->max_message_bytes;
	part->binary = h->opcode == WS_BINARY;
	part->packed = h->rsv1;
	part->fin = h->fin;
	return part;
}

void
ws_part_drop(struct ws_part *part)
{
	buf_unref(part->bytes);
	free(part);
}

void
ws_part_free(struct conn *c)
{
	if (c->part == NULL)
		return;
	ws_part_drop(c->part);
	c->part = NULL;
}

size_t
ws_part_bytes(const struct conn *c)
{
	return c->part == NULL ? 0
			       : sizeof(*c->part) + buf_str(c->part->bytes).n;
}

void
ws_part_keep(struct conn *c, struct str s)
{
	if (s.n > 0)
		input_store(c, &c->part->bytes, s);
}
