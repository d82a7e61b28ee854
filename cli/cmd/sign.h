/* SPDX-License-Identifier: MIT */
#ifndef CLI_CMD_SIGN_H
#define CLI_CMD_SIGN_H

#include "cli/cmd/cmd.h"

extern const struct cmd_option cmd_sign_options[];

int cmd_sign(struct cmd *);

/*
 * "key:signature" of socket_id:channel, or of socket_id:channel:data when data
 * is not NULL.  free(3) it.
 */
char *cmd_sign_channel(const struct app *, const char *socket_id,
    const char *channel, const char *data);

/*
 * May clients subscribe to it?  CMD_OK, or CMD_USAGE, and the rule is printed.
 */
int sign_check_channel(
    const struct cmd *, const struct app *, const char *name);

#endif
