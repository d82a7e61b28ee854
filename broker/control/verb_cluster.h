/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CONTROL_VERB_CLUSTER_H
#define BROKER_CONTROL_VERB_CLUSTER_H

#include "shared/json/json_slice.h"

struct control_client;

/* A row "cluster", and behind it a row "host" for each. */
void verb_cluster(struct control_client *, struct json args);
/* This host leaves; a row when it has. */
void verb_cluster_leave(struct control_client *, struct json args);

#endif
