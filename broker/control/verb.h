/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CONTROL_VERB_H
#define BROKER_CONTROL_VERB_H

/* The verbs that pusherctl can send to the broker. */

#include "shared/base/str.h"

struct control_client;

/*
 * Runs the verb and ends the answer, or starts a job that will.  args: a JSON
 * object.
 */
void verb_run(struct control_client *, struct str verb, struct str args);

#endif
