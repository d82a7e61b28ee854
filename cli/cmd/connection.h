/* SPDX-License-Identifier: MIT */
#ifndef CLI_CMD_CONNECTION_H
#define CLI_CMD_CONNECTION_H

#include "cli/cmd/cmd.h"

extern const struct cmd_option cmd_connections_list_options[];
extern const struct cmd_option cmd_connections_kill_options[];

int cmd_connections_list(struct cmd *);
int cmd_connections_show(struct cmd *);
int cmd_connections_kill(struct cmd *);

extern const struct cmd_option cmd_users_kick_options[];

int cmd_users_list(struct cmd *);
int cmd_sessions(struct cmd *);
int cmd_sessions_show(struct cmd *);
int cmd_users_show(struct cmd *);
int cmd_users_kick(struct cmd *);

/* Opens a table whose rows out_row() prints. */
void cmd_connection_table(struct out *, const char *name);
/*
 * Closes the connections that the arguments name, and prints how many; releases
 * the arguments.
 */
int cmd_connection_kill(
    const struct cmd *, struct buf *args, const char *nobody);

#endif
