/* SPDX-License-Identifier: MIT */
#ifndef CLI_MASTER_CONSOLE_H
#define CLI_MASTER_CONSOLE_H

struct conf;
struct master_start;

/*
 * Makes a process that runs one command of the console, or another task with
 * this name, and exits.  It is no child of the group: nobody watches or
 * replaces it.
 */
void console_fork(const struct master_start *, const char *name,
    int (*run)(const struct conf *));

#endif
