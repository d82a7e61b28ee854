/* SPDX-License-Identifier: MIT */
#ifndef CLI_MASTER_LEFTOVER_H
#define CLI_MASTER_LEFTOVER_H

/*
 * The holder of the lock of a runtime directory: a server, or its remaining
 * processes.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

#define LEFTOVER_MAX 80

struct leftover {
	pid_t pid;
	char name[32]; /* "pusherd: worker 1", as ps(1) shows it */
	bool orphan;   /* a child of a master that is gone */
	bool stopped;  /* SIGSTOP */
};

/* Finds the processes that have this file open.  Returns their number. */
size_t leftover_find(const struct stat *, struct leftover v[LEFTOVER_MAX]);
/* Is there a process of this id, whose name has pusherd in it? */
bool leftover_may_be(pid_t);
/* "pusherd: worker 1 (pid 17), …"; free(3) it. */
char *leftover_text(const struct leftover *v, size_t n);
/* Kills those that are orphans, or only the stopped ones of them. */
void leftover_end(const struct leftover *v, size_t n, bool stopped_only);

#endif
