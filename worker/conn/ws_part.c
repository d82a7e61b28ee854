/* SPDX-License-Identifier: MIT */
/*
 * ws_part.c: an incomplete WebSocket message, or one that waits to be unpacked.
 * Owns c->part.
 */

#include "worker/conn/ws_part.h"

#include <stdlib.h>
#include <string.h>

#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "shared/net/ws_frame.h"
#include "worker/conn/conn.h"
#include "worker/core/core.h"

#define PART_BYTES 256 /* of the first buffer */

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
	free(part->data);
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
	return c->part == NULL ? 0 : sizeof(*c->part) + c->part->len;
}

void
ws_part_keep(struct conn *c, const char *p, size_t n)
{
	struct ws_part *part = c->part;
	size_t cap = part->cap == 0 ? PART_BYTES : part->cap;

	if (n == 0)
		return;
	while (cap < part->len + n)
		cap *= 2;
	if (cap != part->cap) {
		c->w->bytes_in += part->len; /* they are copied */
		part->data = xreallocarray(part->data, cap, 1);
		part->cap = cap;
	}
	memcpy(part->data + part->len, p, n);
	part->len += n;
}
