/* SPDX-License-Identifier: MIT */
#ifndef CLI_CMD_APP_H
#define CLI_CMD_APP_H

struct appdb;
struct cmd;

/*
 * The database for writing, made when it is missing and then given to the
 * user that the daemon runs as; NULL after a message.
 */
struct appdb *cmd_app_open_db(const struct cmd *);

#endif
