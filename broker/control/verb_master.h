/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CONTROL_VERB_MASTER_H
#define BROKER_CONTROL_VERB_MASTER_H

/* Requests of pusherctl that the master runs. */

#include "shared/json/json_slice.h"

struct control_client;
struct msg_master_reply;

void verb_reload(struct control_client *, struct json args);
/* set: NAME=VALUE, an option and its new value. */
void verb_config_set(struct control_client *, struct json args);
/* seconds: how long it may take; default: the option drain_time. */
void verb_drain(struct control_client *, struct json args);
/* worker: the number of a slot, which gets another process. */
void verb_worker_replace(struct control_client *, struct json args);
/* binary: the path of the new program; default: that of the running one. */
void verb_upgrade(struct control_client *, struct json args);
/* Answered when it is over. */
void verb_upgrade_end(struct control_client *, struct json args);
/* level: a value of the option log_level. */
void verb_log_level(struct control_client *, struct json args);
/* Handles the master's reply; owner is the broker. */
void verb_master_on_reply(void *owner, const struct msg_master_reply *);

#endif
