/* SPDX-License-Identifier: MIT */
#ifndef WORKER_CONN_COMPRESSION_H
#define WORKER_CONN_COMPRESSION_H

/*
 * permessage-deflate (RFC 7692) of the connections of a worker: negotiates its
 * terms, unpacks messages of clients, packs frames for them.  No connection has
 * a window or a stream of zlib of its own; see shared/net/deflate.h.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/list.h"
#include "shared/base/str.h"
#include "shared/net/deflate.h"
#include "shared/net/http.h"

struct buf;
struct conn;
struct worker;

struct compression {
	struct inflater *inflater; /* NULL until the first message */
	struct buf *message;       /* the last one that was unpacked */
	uint64_t unpacked;         /* bytes of messages, ever */
	int64_t small_left;        /* bytes for small messages in this turn */
	int64_t large_left;        /* and for others */
	const struct conn *large;  /* its turn has come */
	struct deflater *deflater; /* NULL until the first frame */
	uint64_t level;            /* its compression_level */
	struct buf *packed;        /* the last frame */
	struct buf *list;          /* the last long answer, and its frame: */
	struct buf *list_packed;   /* the next client often gets the same */
	uint64_t last_id;          /* of compressed events */
	struct list contexts;      /* of channels, least recently used first */
	size_t context_bytes;
};

void compression_init(struct worker *);
/* No topic with a context is left. */
void compression_free(struct worker *);
/*
 * Takes the first acceptable offer of the upgrade and appends the header line
 * that accepts it to *b; nothing if there is none, or compression is off.
 */
void compression_negotiate(
    struct conn *, const struct http_head *, struct buf **b);
/* The agreed terms, as they stand in the header. */
void compression_terms(const struct conn *, struct buf **b);
/*
 * Unpacks a message of a client: *s becomes its content, at most max bytes,
 * valid until the next call.  False: this turn has unpacked enough, and
 * compression_next() returns the connection for the same call.
 */
bool compression_unpack(
    struct conn *, size_t max, struct str *s, enum inflate_result *);
/* Once a turn, then the connections that may unpack their message in it. */
void compression_turn(struct worker *);
struct conn *compression_next(struct worker *);
/*
 * The compressed form of a finished frame with this payload, for a window that
 * ends with `before`; valid until the next call.
 */
struct str compression_pack(
    struct worker *, struct str before, struct str frame, struct str payload);
/*
 * Queues the answer to a subscription: a long list of members and past events
 * are compressed, each by itself.
 */
void compression_queue_answer(
    struct conn *, struct str channel, struct str frames);

#endif
