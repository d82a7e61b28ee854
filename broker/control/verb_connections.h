/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CONTROL_VERB_CONNECTIONS_H
#define BROKER_CONTROL_VERB_CONNECTIONS_H

/* The verbs about connections and users; see verb.h. */

#include "shared/json/json_slice.h"

struct control_client;

void verb_connections(struct control_client *, struct json args);
void verb_connection(struct control_client *, struct json args);
void verb_kill(struct control_client *, struct json args);
void verb_users(struct control_client *, struct json args);
void verb_user(struct control_client *, struct json args);

#endif
