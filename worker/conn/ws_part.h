/* SPDX-License-Identifier: MIT */
#ifndef WORKER_CONN_WS_PART_H
#define WORKER_CONN_WS_PART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/str.h"

struct buf;
struct conn;
struct ws_head;

struct ws_part {
	struct buf *bytes; /* of the message; NULL: none yet */
	uint64_t left;     /* bytes of this frame that are still to come */
	uint64_t phase;    /* bytes of this frame that have come */
	uint32_t utf8;
	uint32_t fragments, empty;
	size_t max; /* max_message_bytes when it began */
	uint8_t mask[4];
	bool fin; /* the message ends with this frame */
	bool binary;
	bool packed; /* compressed, as a whole */
};

/* c->part, for the message that begins with this frame. */
struct ws_part *ws_part_new(struct conn *, const struct ws_head *);
/* Adds bytes of the message to c->part. */
void ws_part_keep(struct conn *, struct str);
void ws_part_drop(struct ws_part *);
/* Frees c->part. */
void ws_part_free(struct conn *);
/* Bytes that c->part holds. */
size_t ws_part_bytes(const struct conn *);

#endif
