/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CONTROL_VERB_WEBHOOK_H
#define BROKER_CONTROL_VERB_WEBHOOK_H

#include "shared/json/json_slice.h"

struct control_client;

/* The row of `status` about webhooks. */
void verb_webhooks_row(struct control_client *);
/* webhook-test {"webhook":number} */
void verb_webhook_test(struct control_client *, struct json args);

#endif
