/* SPDX-License-Identifier: MIT */
#ifndef CLI_MASTER_LOG_TARGET_H
#define CLI_MASTER_LOG_TARGET_H

/*
 * The target of the log (option log), its level and its form.  A log file
 * replaces stderr, so that all processes have it.
 */

#include <stdbool.h>

#include "shared/base/log.h"

struct conf;

struct log_target {
	enum log_level level;
	enum log_format format;
	bool foreground; /* pusherd -F */
	bool to_syslog;
	int stderr_fd; /* the stderr of the start, or -1 */
};

/*
 * Opens the target of the option log, to replace stderr; *fd -1: nothing
 * replaces it.  0, or -1 and *why (free(3) it).
 */
int log_target_open(
    const struct log_target *, const struct conf *, int *fd, char **why);
/* Uses it from now on; takes fd.  The children must be told. */
void log_target_use(struct log_target *, const struct conf *, int fd);

#endif
