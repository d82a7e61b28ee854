/* SPDX-License-Identifier: MIT */
#ifndef CLI_CMD_CLUSTER_APPS_H
#define CLI_CMD_CLUSTER_APPS_H

struct conf;

/*
 * Brings the database to the apps that the cluster has, and tells the broker:
 * 0, or 1 after a message.
 */
int cluster_apps_run(const struct conf *);

#endif
