/* SPDX-License-Identifier: MIT */
#ifndef CLI_CMD_CONSOLE_H
#define CLI_CMD_CONSOLE_H

#include "cli/cmd/cmd.h"

extern const struct cmd_option cmd_console_options[];
int cmd_console(struct cmd *);

#endif
