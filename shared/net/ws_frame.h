/* SPDX-License-Identifier: MIT */
#ifndef SHARED_NET_WS_FRAME_H
#define SHARED_NET_WS_FRAME_H

/* RFC 6455 frame heads, masking, UTF-8, close codes.  Pure. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "shared/base/str.h"

enum ws_opcode {
	WS_CONT = 0x0,
	WS_TEXT = 0x1,
	WS_BINARY = 0x2,
	WS_CLOSE = 0x8,
	WS_PING = 0x9,
	WS_PONG = 0xa
};

#define WS_HEAD_MAX 14 /* largest frame head, with mask */

struct ws_head {
	bool fin;
	bool masked;
	uint8_t opcode;
	uint64_t len; /* payload bytes */
	uint8_t mask[4];
	bool rsv1; /* compressed; the caller knows whether that is allowed */
};

/*
 * Reads a frame head (RFC 6455, 5.2).  > 0: bytes it takes; 0: need more;
 * -1: broken: a reserved bit or opcode, RSV1 on anything but the first frame
 * of a message, a length that is not minimal or has the top bit set, a control
 * frame that is fragmented or longer than 125.
 */
ssize_t ws_head_read(struct ws_head *, struct str in);
/*
 * Writes the unmasked head of a final server frame; returns its 2, 4 or 10
 * bytes.  out needs WS_HEAD_MAX bytes.
 */
size_t ws_head_write(enum ws_opcode, uint64_t len, unsigned char *out);
/* The same for a client frame: with this mask, 6, 8 or 14 bytes. */
size_t ws_head_write_masked(
    enum ws_opcode, uint64_t len, const uint8_t mask[4], unsigned char *out);
/*
 * XORs n bytes in place; `phase` is the number of earlier payload bytes (only
 * modulo 4 matters).
 */
void ws_mask(void *bytes, size_t n, const uint8_t mask[4], uint64_t phase);

/*
 * Incremental UTF-8 check (RFC 3629: no overlong forms, no surrogates, none
 * above U+10FFFF).  *state starts at 0 and is 0 again at a character boundary.
 * False at the first invalid byte.
 */
bool utf8_feed(uint32_t *state, const void *bytes, size_t n);
/* The whole text is valid. */
bool utf8_is_valid(struct str);

/* May this code stand in a close frame from a client (7.4.1, 7.4.2)? */
bool ws_close_code_is_valid(unsigned code);

#endif
