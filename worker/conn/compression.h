/* SPDX-License-Identifier: MIT */
#ifndef WORKER_CONN_COMPRESSION_H
#define WORKER_CONN_COMPRESSION_H

/*
 * permessage-deflate (RFC 7692) of the connections of a worker: its terms are
 * negotiated, messages from clients are unpacked.  No connection has a window
 * or a stream of zlib of its own; see shared/net/deflate.h.
 */

#include <stddef.h>
#include <stdint.h>

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
};

void compression_free(struct worker *);
/*
 * Takes the first acceptable offer of the upgrade and appends the header line
 * that says so to *b; none, or compression is off: nothing.
 */
void compression_negotiate(
    struct conn *, const struct http_head *, struct buf **b);
/* Unpacks *s, to at most max bytes; the result is valid until the next call. */
enum inflate_result compression_unpack(
    struct worker *, size_t max, struct str *s);

#endif
