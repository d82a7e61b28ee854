/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CONTROL_CONFIRM_H
#define BROKER_CONTROL_CONFIRM_H

/* pusherctl publish --wait: how many subscribers confirm the event. */

#include <stdint.h>

#include "shared/ipc/ipc_msg.h"

struct control_client;

/*
 * The event has been published and has its number; answers the client when all
 * sessions in the channel have confirmed it, or after ms.
 */
void confirm_begin(
    struct control_client *, const struct msg_event *, uint64_t ms);

#endif
