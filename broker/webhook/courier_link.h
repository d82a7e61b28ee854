/* SPDX-License-Identifier: MIT */
#ifndef BROKER_WEBHOOK_COURIER_LINK_H
#define BROKER_WEBHOOK_COURIER_LINK_H

/* The link to the courier: endpoints out, states and acknowledgements in. */

#include "shared/ipc/ipc_msg.h"

struct broker;
struct peer;

/* Sends all endpoints, then ENDPOINTS_DONE, if there is a courier. */
void courier_link_send_endpoints(struct broker *);

/* Handlers of COURIER_HELLO, COURIER_STATE, HOOK_ACK. */
int courier_link_on_hello(struct peer *, const struct msg_courier_hello *);
int courier_link_on_state(struct peer *, const struct msg_courier_state *);
int courier_link_on_ack(struct peer *, const struct msg_hook_ack *);
/* Handlers of HOOK_STATE, HOOK_STATES_DONE. */
int courier_link_on_hook_state(struct peer *, const struct msg_hook_state *);
int courier_link_on_hook_states_done(
    struct peer *, const struct msg_hook_states_done *);

#endif
