/* SPDX-License-Identifier: MIT */
#ifndef SHARED_NET_DEFLATE_H
#define SHARED_NET_DEFLATE_H

/*
 * permessage-deflate (RFC 7692): the offer of a client, and messages that are
 * compressed and decompressed one at a time.  No state belongs to a socket: an
 * earlier message that the client has received last serves as the dictionary of
 * the next one.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/str.h"

struct buf;
struct deflater;
struct inflater;

#define DEFLATE_BITS_MIN 9 /* zlib cannot write raw deflate with 8 */
#define DEFLATE_BITS_MAX 15
#define DEFLATE_WINDOW ((size_t)1 << DEFLATE_BITS_MAX)

/* The parameters on which server and client have agreed: one byte. */
struct deflate_terms {
	uint8_t bits : 4;    /* the client's window for the server's messages */
	bool bits_asked : 1; /* the client named server_max_window_bits */
	bool self_contained : 1; /* the server must keep no context */
};

/*
 * Takes the first acceptable offer out of one value of the header
 * Sec-WebSocket-Extensions (RFC 7692, 5.1 and 7.1).  An offer with an unknown
 * or repeated parameter or a bad value is declined, as are other extensions.
 * False: nothing acceptable in it, *terms is untouched.
 */
bool deflate_negotiate(struct str offers, struct deflate_terms *terms);
/* Appends the value of the header that accepts these terms. */
void deflate_answer(const struct deflate_terms *terms, struct buf **b);

/* level: zlib's, 1 to 9. */
struct deflater *deflater_new(int level);
void deflater_free(struct deflater *);
/*
 * Appends the compressed payload of one message (7.2.1).  before: the message
 * with which the receiver's window ends, or empty for a message that needs no
 * other one; of a long one the end is used.  A smaller window works, too, if
 * both messages together fit into it.
 */
void deflater_run(
    struct deflater *, struct str before, struct str message, struct buf **out);

/* No compressor makes more than this from n bytes. */
static inline size_t
deflate_bound(size_t n)
{
	return n + n / 7 + 64;
}

/* Of one message: an encoder makes two for each fragment that it sends. */
#define INFLATE_BLOCKS 4096u

enum inflate_result {
	INFLATE_DONE,
	INFLATE_TOO_LARGE, /* over max */
	INFLATE_TOO_MANY,  /* blocks: each takes time, and may be empty */
	INFLATE_BROKEN     /* not deflate, or not complete */
};

struct inflater *inflater_new(void);
void inflater_free(struct inflater *);
/*
 * Appends the message to *out (7.2.2), at most max bytes of it; the client
 * keeps no context between its messages.
 */
enum inflate_result inflater_run(
    struct inflater *, struct str message, size_t max, struct buf **out);
/* How many blocks the last message had, as far as it was unpacked. */
unsigned inflater_blocks(const struct inflater *);

#endif
