/* SPDX-License-Identifier: MIT */
#ifndef CLI_MASTER_LOG_TARGET_H
#define CLI_MASTER_LOG_TARGET_H

/*
 * Where the log goes (option log), how much of it and in which form.  A log
 * file takes the place of stderr, so that all processes have it.
 */

#include <stdbool.h>

#include "shared/base/log.h"

struct conf;

struct log_target {
	enum log_level level;
	enum log_format format;
	bool foreground; /* pusherd -F */
	bool to_syslog;
	int stderr_fd; /* what stderr was at the start, or -1 */
};

/*
 * Opens what the option log says, for the place of stderr; *fd -1: nothing
 * has to take it.  0, or -1 and *why (free(3) it).
 */
int log_target_open(
    const struct log_target *, const struct conf *, int *fd, char **why);
/* From now on; takes fd.  The children have to be told. */
void log_target_use(struct log_target *, const struct conf *, int fd);

#endif
