/* SPDX-License-Identifier: MIT */
#ifndef CLI_CMD_TAIL_H
#define CLI_CMD_TAIL_H

#include "cli/cmd/cmd.h"

extern const struct cmd_option cmd_tail_options[];
extern const struct cmd_option cmd_subscribe_options[];
extern const struct cmd_option cmd_channel_options[];

int cmd_tail(struct cmd *);
/* Prints the newest events of a channel as tail does. */
int cmd_channel_events(struct cmd *);
int cmd_subscribe(struct cmd *);

#endif
