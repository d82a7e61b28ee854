/* SPDX-License-Identifier: MIT */
#ifndef CLI_MASTER_DAEMON_H
#define CLI_MASTER_DAEMON_H

/* The daemon, from its command line on. */

#include <stdbool.h>
#include <stddef.h>

struct conf;
struct verb_rule;

struct daemon_command {
	bool foreground;
	/* The state of a running master (handover.h); -1: a new start. */
	int state_fd;
	bool is_trial; /* only: could it take over? */
	const char *file;
	char **options;
	size_t noptions;
	const struct verb_rule *rules; /* as struct master_start has them */
	int (*run_console)(const struct conf *),
	    (*run_apps)(const struct conf *);
};

/* Returns the exit code; dies with a sentence when it cannot start. */
int daemon_run(struct conf *, const struct daemon_command *);
/* pusherd -t */
int daemon_test(const struct conf *, const char *file);

#endif
