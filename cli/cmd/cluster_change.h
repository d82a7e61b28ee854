/* SPDX-License-Identifier: MIT */
#ifndef CLI_CMD_CLUSTER_CHANGE_H
#define CLI_CMD_CLUSTER_CHANGE_H

/* Changes of apps, told to the other hosts of the cluster. */

struct appdb;
struct cmd;

/*
 * Before the database is opened for a change: CMD_OK, or CMD_FAILED after a
 * message, because the other hosts could not be told.
 */
int cluster_change_check(const struct cmd *);
/* Notes the apps as they are, if there are other hosts to be told. */
void cluster_change_begin(const struct cmd *, struct appdb *);
/*
 * Tells the other hosts the apps that have changed since, and waits until they
 * have them: CMD_OK, or CMD_FAILED after a message.
 */
int cluster_change_tell(const struct cmd *);

#endif
