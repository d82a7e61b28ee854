/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CONTROL_VERB_H
#define BROKER_CONTROL_VERB_H

/* What pusherctl can ask the broker. */

#include "shared/base/str.h"

struct control_client;

/*
 * Does it, and ends the question; or leaves it to others to end it.  args: a
 * JSON object.
 */
void verb_run(struct control_client *, struct str verb, struct str args);

#endif
