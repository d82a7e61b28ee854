/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CONTROL_VERB_CHANNELS_H
#define BROKER_CONTROL_VERB_CHANNELS_H

/* The verbs about channels; see verb.h. */

#include "shared/json/json_slice.h"

struct control_client;

void verb_channels(struct control_client *, struct json args);
void verb_channel(struct control_client *, struct json args);
void verb_purge_cache(struct control_client *, struct json args);

#endif
