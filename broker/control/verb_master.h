/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CONTROL_VERB_MASTER_H
#define BROKER_CONTROL_VERB_MASTER_H

/* What pusherctl asks and the master does. */

#include "shared/json/json_slice.h"

struct control_client;
struct msg_master_reply;

void verb_reload(struct control_client *, struct json args);
/* seconds: how long it may take; without, the option drain_time. */
void verb_drain(struct control_client *, struct json args);
/* level: one of those of the option log_level. */
void verb_log_level(struct control_client *, struct json args);
/* The master has answered; owner is the broker. */
void verb_master_on_reply(void *owner, const struct msg_master_reply *);

#endif
