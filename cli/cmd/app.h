/* SPDX-License-Identifier: MIT */
#ifndef CLI_CMD_APP_H
#define CLI_CMD_APP_H

#include <stdbool.h>

struct app;
struct appdb;
struct buf;
struct cmd;
struct out;

/*
 * The database for writing, made when it is missing and then given to the
 * user that the daemon runs as; NULL after a message.
 */
struct appdb *cmd_app_open_db(const struct cmd *);
/* "option=value", or "name=…", onto the app: an enum cmd_exit. */
int cmd_app_assign(const struct cmd *, struct app *, const char *text);
/*
 * All apps with their webhooks, as `app export` prints them, and with the keys
 * that end: one reference, or NULL after a message.
 */
struct buf *cmd_app_records(struct appdb *);
/*
 * Prints the app.  settings: people get these too; in JSON they are always
 * there.
 */
void cmd_app_put(struct out *, const struct app *, bool reveal, bool settings);

#endif
