/* SPDX-License-Identifier: MIT */
#ifndef WORKER_CONN_VARIANTS_H
#define WORKER_CONN_VARIANTS_H

/*
 * One event on its way to many connections, in at most three forms: plain,
 * compressed alone, and compressed with the event before it in its channel as
 * the dictionary.  The last one is for connections whose last compressed
 * message was that event.  A form is made when the first connection needs it,
 * so an event is compressed at most twice, however many there are.
 */

#include <stdbool.h>
#include <stdint.h>

#include "shared/base/str.h"

struct app;
struct buf;
struct conn;
struct context; /* the last compressed event of a channel */
struct worker;

enum variant { VARIANT_PLAIN, VARIANT_ALONE, VARIANT_NEXT, VARIANTS };

struct form {
	struct buf *b; /* a reference; NULL: not made yet */
	uint32_t off, len;
	bool noise; /* longer than plain, which is sent instead */
};

struct variants {
	struct worker *w;
	struct context **context; /* of the channel */
	struct str frame;         /* finished */
	struct str payload;
	uint64_t id; /* of this message, for conn.packed_id */
	struct form forms[VARIANTS];
	uint64_t raw, sent; /* bytes of what was sent compressed */
};

/*
 * n connections of the channel have agreed on compression; the first three
 * fields are set.  False: compression does not pay for this event, or is
 * forbidden.
 */
bool variants_begin(
    struct variants *, const struct app *, uint32_t n, struct str channel);
/* Queues the right form for the connection. */
void variants_queue(struct variants *, struct conn *);
/* All connections have it: the channel's next event builds on it. */
void variants_end(struct variants *, struct app *);

/* Frees the context and removes it from its channel. */
void context_free(struct worker *, struct context *);
/* Drops all contexts: the next event of each channel is compressed alone. */
void contexts_clear(struct worker *);

#endif
