/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CONTROL_CONSOLE_H
#define BROKER_CONTROL_CONSOLE_H

/* The console: sessions of browsers, and the commands that they run. */

#include <stdint.h>

#include "shared/ipc/ipc_msg.h"
#include "shared/json/json_slice.h"

struct broker;
struct control_client;
struct peer;

/* The handler of CONSOLE_ASK. */
int console_on_ask(struct peer *, const struct msg_console_ask *);
/* The app is deleted: its tokens and sessions end. */
void console_forget_app(struct broker *, uint32_t app);
/* A verb: a token for pusherctl. */
void verb_console_token(struct control_client *, struct json args);

#endif
