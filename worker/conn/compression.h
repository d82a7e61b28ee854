/* SPDX-License-Identifier: MIT */
#ifndef WORKER_CONN_COMPRESSION_H
#define WORKER_CONN_COMPRESSION_H

/*
 * permessage-deflate (RFC 7692) of the connections of a worker: its terms are
 * negotiated, messages from clients are unpacked, frames for them are packed.
 * No connection has a window or a stream of zlib of its own; see
 * shared/net/deflate.h.
 */

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
	struct deflater *deflater; /* NULL until the first frame */
	uint64_t level;            /* its compression_level */
	struct buf *packed;        /* the last frame */
	uint64_t last_id;          /* of compressed events */
	struct list contexts;      /* of channels, least recently used first */
	size_t context_bytes;
};

void compression_init(struct worker *);
/* No topic is left that has a context. */
void compression_free(struct worker *);
/*
 * Takes the first acceptable offer of the upgrade and appends the header line
 * that says so to *b; none, or compression is off: nothing.
 */
void compression_negotiate(
    struct conn *, const struct http_head *, struct buf **b);
/* The agreed terms, as they stand in the header. */
void compression_terms(const struct conn *, struct buf **b);
/* Unpacks *s, to at most max bytes; the result is valid until the next call. */
enum inflate_result compression_unpack(
    struct worker *, size_t max, struct str *s);
/*
 * The compressed form of a finished frame with this payload, for a window that
 * ends with `before`; valid until the next call.
 */
struct str compression_pack(
    struct worker *, struct str before, struct str frame, struct str payload);
/*
 * Queues the answer to a subscription: a long list of members and events of
 * the past are compressed, each for itself.
 */
void compression_queue_answer(
    struct conn *, struct str channel, struct str frames);

#endif
