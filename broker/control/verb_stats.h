/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CONTROL_VERB_STATS_H
#define BROKER_CONTROL_VERB_STATS_H

#include "shared/json/json_slice.h"

struct control_client;

/*
 * stats {"app":id,"limit":n}: rows of type server, worker, app (the n with
 * most connections, then most messages), code and lifetime.
 */
void verb_stats(struct control_client *, struct json args);
/* history {"app":id,"hours":true,"limit":n}: the last rows, oldest first. */
void verb_history(struct control_client *, struct json args);
/* closes {"app":id,"limit":n}: connections that ended, latest first. */
void verb_closes(struct control_client *, struct json args);
/* The rows of `status` about limits: what, used, limit. */
void verb_limits(struct control_client *);

#endif
