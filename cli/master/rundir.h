/* SPDX-License-Identifier: MIT */
#ifndef CLI_MASTER_RUNDIR_H
#define CLI_MASTER_RUNDIR_H

/*
 * The files of a running server: the runtime directory with
 * lock, internal sockets and the list of addresses, the pid file, and the
 * database, which is made when it is missing.
 */

#include <stdbool.h>
#include <sys/types.h>

struct conf;

/* The owner of the files; only root can give them away. */
struct rundir_owner {
	bool give;
	uid_t uid;
	gid_t gid;
};

struct rundir {
	const struct conf *conf;
	struct rundir_owner owner;
	int lock_fd;    /* flock(2): one group for each runtime directory */
	int pid_fd;     /* the same for the pid file; the master only */
	int broker_fd;  /* listening */
	int control_fd; /* listening */
	char *lock_path, *listen_path;
};

/*
 * All functions: 0, or -1 and *why (free(3) it): a sentence with the fault and
 * the remedy.
 */

/* Makes everything; after an error nothing is left behind. */
int rundir_open(struct rundir *, const struct conf *,
    const struct rundir_owner *, char **why);
/* Writes this process's id into pid file and lock. */
int rundir_write_pid(struct rundir *, char **why);
/* Removes the files that belong to a running server, and closes all. */
void rundir_close(struct rundir *);
/* Would rundir_open() have a usable directory?  Changes nothing. */
int rundir_check(const struct conf *, const struct rundir_owner *, char **why);

#endif
