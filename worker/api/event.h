/* SPDX-License-Identifier: MIT */
#ifndef WORKER_API_EVENT_H
#define WORKER_API_EVENT_H

/*
 * One event of a publish request: read from JSON and checked against the
 * app's limits (protocol reference, 5.4).  Pure.
 */

#include <stdbool.h>
#include <stdint.h>

#include "shared/app/app.h"
#include "shared/base/buf.h"
#include "shared/base/str.h"
#include "shared/json/json_slice.h"

#define EVENT_FEW 4 /* channels without an allocation */

struct event_channel {
	struct str name;
	char *tmp;     /* memory for a name with escapes */
	uint64_t hash; /* to find duplicates; unset when it is the only one */
	unsigned flags;
};

struct event {
	struct str name;
	char *name_tmp;
	struct str data_raw; /* unchanged, with its quotes */
	uint64_t except;     /* sid, or 0 */
	uint32_t info;       /* enum query_info */
	uint64_t seq;        /* of its EVENT for the first channel */
	size_t n, cap;       /* distinct channels */
	struct event_channel *v;
	struct event_channel few[EVENT_FEW];
};

#define EVENT_KEYS 6
/* The keys of json_parse_rows(), for event_read(). */
extern const struct str event_keys[EVENT_KEYS];

/*
 * Reads an event: a row of json_parse_rows().  `batch`: it has one `channel`
 * and no `channels`.  200, or 400 or 413 and a sentence in *why.  The views
 * live as long as the text; event_clear() must be called in any case.
 */
unsigned event_read(struct event *, const struct app *, const struct json *row,
    bool batch, struct buf **why);
void event_clear(struct event *);

#endif
