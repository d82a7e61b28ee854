/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CONTROL_CONSOLE_H
#define BROKER_CONTROL_CONSOLE_H

/* The console: sessions of browsers, and the commands that they run. */

#include "shared/ipc/ipc_msg.h"
#include "shared/json/json_slice.h"

struct control_client;
struct peer;

/* The handler of CONSOLE_ASK. */
int console_on_ask(struct peer *, const struct msg_console_ask *);
/* A verb: a token for pusherctl. */
void verb_console_token(struct control_client *, struct json args);

#endif
