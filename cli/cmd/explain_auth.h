/* SPDX-License-Identifier: MIT */
#ifndef CLI_CMD_EXPLAIN_AUTH_H
#define CLI_CMD_EXPLAIN_AUTH_H

#include "cli/cmd/cmd.h"

extern const struct cmd_option cmd_explain_options[];

int cmd_explain_auth(struct cmd *);

#endif
