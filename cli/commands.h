/* SPDX-License-Identifier: MIT */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

/* The table of pusherctl's commands. */

#include "cli/cmd/cmd.h"

extern const struct cmd_verb commands[];
extern const size_t commands_n;
/* The same for the console; ends with a rule without a name. */
const struct verb_rule *commands_rules(void);

#endif
