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
int cmd_users_show(struct cmd *);
int cmd_users_kick(struct cmd *);

/* For both: prints one row of the daemon's into an open table. */
extern const char *const cmd_connection_keys[];
extern const size_t cmd_connection_nkeys;
void cmd_connection_put(struct out *, struct json row);
/* Closes what the arguments (a JSON object) name, prints how many. */
int cmd_connection_kill(
    const struct cmd *, struct str args, const char *nobody);

#endif
