/* SPDX-License-Identifier: MIT */
#ifndef CLI_MASTER_START_H
#define CLI_MASTER_START_H

/* The arguments of the master role. */

#include <stddef.h>
#include <stdint.h>

#include "cli/master/log_target.h"

struct certs;
struct handover;
struct conf;
struct listen_set;
struct verb_rule;

/* The sources of the configuration, for a reload. */
struct source {
	char *base; /* the directory at the start */
	char *file; /* a full path, or NULL */
	char *const *arguments;
	size_t narguments;
};

/* Things that pusherd makes before it has children. */
struct master_start {
	struct conf *conf;
	struct listen_set *listen;
	const char *listen_path; /* the file with the addresses */
	struct certs *certs;
	struct proc_usage *usage; /* made by master_run() */
	uint64_t *noted;          /* likewise: proc_map_noted() */
	struct minute_log
	    *minute_log; /* numbers of each minute, for broker and courier */
	struct event_order
	    *event_order; /* state that outlives a broker, for the next one */
	struct session_table *sessions; /* broker and workers */
	struct answer_table *answers;   /* broker */
	struct snapshot *apps; /* likewise: the database when last read */
	struct source source;
	int broker_fd;  /* listening socket of the links */
	int control_fd; /* listening control socket */
	int lock_fd;    /* every process of the group holds it */
	int pid_fd;     /* of the pid file; the master's alone */
	int waiter_fd;  /* one byte is written when all serve; or -1 */
	struct log_target log;
	char *program; /* the file that is running now; or NULL */
	/* Left by the program before this one; NULL: it is a new start. */
	const struct handover *taken;
	const struct verb_rule *rules; /* of pusherctl's commands */
	/* Runs one of them for the console, in a process of its own. */
	int (*run_console)(const struct conf *);
	/* Writes the apps of other hosts into the database. */
	int (*run_apps)(const struct conf *);
};

#endif
