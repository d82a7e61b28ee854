/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CONTROL_VERB_LOG_H
#define BROKER_CONTROL_VERB_LOG_H

/* The verbs about resumable sessions and logged events; see verb.h. */

#include "shared/json/json_slice.h"

struct app_log;
struct broker_app;
struct control_client;

void verb_sessions(struct control_client *, struct json args);
void verb_session(struct control_client *, struct json args);
void verb_events(struct control_client *, struct json args);
/* The app's log, or NULL after a sentence. */
const struct app_log *verb_log(
    struct control_client *, const struct broker_app *);

#endif
