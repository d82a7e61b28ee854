/* SPDX-License-Identifier: MIT */
#ifndef CLI_MASTER_H
#define CLI_MASTER_H

/* The master role: starts the group, watches it, replaces who dies, stops. */

#include <stdbool.h>

#include "shared/log.h"

struct conf;
struct listen_set;

/* What pusherd has made before there are children. */
struct master_start {
	const struct conf *conf;
	const struct listen_set *listen;
	int broker_fd;  /* listening socket of the links */
	int control_fd; /* listening control socket */
	int lock_fd;    /* every process of the group holds it */
	int waiter_fd;  /* one byte is written when all serve; or -1 */
	enum log_format log_format;
	bool to_syslog;
};

/*
 * Runs until a signal ends it and returns the exit code; in the children it
 * does not return.  Nobody is left running when it does.
 */
int master_run(const struct master_start *);

#endif
