/* SPDX-License-Identifier: MIT */
#ifndef CLI_MASTER_FILES_H
#define CLI_MASTER_FILES_H

/* Can the files that options name be used?  For a start, a reload and -t. */

#include <stdbool.h>

struct conf;

/*
 * Are database, outbox, log and pid_file different files?  Each has a writer of
 * its own, and the last one is emptied.
 */
int files_check_apart(const struct conf *, char **why);
/*
 * Those that children read: 0, or -1 and *why (free(3) it).  Ask with the
 * rights of the user.
 */
int files_check_read(const struct conf *, char **why);
/* Those that the user writes, in the same way; for -t. */
int files_check_log(const struct conf *, char **why);
int files_check_outbox(const struct conf *, char **why);
/* The pid file, with the rights of the start; for -t. */
int files_check_pid(const struct conf *, char **why);
/*
 * May this process write the file or make it?  False with errno.  The start
 * makes runtime_dir and the directory of the database: true if the file is in
 * one of them and that is missing.
 */
bool files_may_write(const struct conf *, const char *path);

#endif
