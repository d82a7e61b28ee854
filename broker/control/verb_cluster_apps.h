/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CONTROL_VERB_CLUSTER_APPS_H
#define BROKER_CONTROL_VERB_CLUSTER_APPS_H

/* The verbs by which pusherctl and hosts of a cluster exchange apps. */

#include "shared/json/json_slice.h"

struct control_client;

/*
 * id, record: gives the app to the cluster; no record: it is deleted.  absent:
 * only if the cluster has none with this id.  wait: until all hosts have it.
 */
void verb_cluster_app(struct control_client *, struct json args);
/* The records that are not in the database yet, behind a row about them. */
void verb_cluster_apps(struct control_client *, struct json args);
/* version: they are in the database and in force now. */
void verb_cluster_apps_done(struct control_client *, struct json args);

#endif
