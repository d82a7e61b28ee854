/* SPDX-License-Identifier: MIT */
#ifndef BROKER_VERB_H
#define BROKER_VERB_H

/* What pusherctl can ask the broker. */

#include "shared/str.h"

struct control_client;
struct snapshot;

/*
 * Does it, and ends the question; or leaves it to control_on_pong() or
 * snapshot_write() to end it.  args: a JSON object.
 */
void verb_run(struct control_client *, struct str verb, struct str args);

/* Writes a portion of rows; at the last one frees it, ends the question. */
void snapshot_write(struct control_client *, struct snapshot **);
/* NULL is allowed. */
void snapshot_free(struct snapshot *);

#endif
