/* SPDX-License-Identifier: MIT */
#ifndef CLI_MASTER_START_H
#define CLI_MASTER_START_H

/* The arguments of the master role. */

#include <stddef.h>
#include <stdint.h>

#include "cli/master/log_target.h"

struct certs;
struct conf;
struct listen_set;

/* Where the configuration came from, to read it once more. */
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
	    *minute_log; /* what each minute brought, for broker and courier */
	struct event_order
	    *event_order; /* what outlives a broker, for the next one */
	struct session_table *sessions; /* broker and workers */
	struct snapshot *apps; /* likewise: the database when last read */
	struct source source;
	int broker_fd;  /* listening socket of the links */
	int control_fd; /* listening control socket */
	int lock_fd;    /* every process of the group holds it */
	int waiter_fd;  /* one byte is written when all serve; or -1 */
	struct log_target log;
};

#endif
