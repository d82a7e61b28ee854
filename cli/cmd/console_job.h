/* SPDX-License-Identifier: MIT */
#ifndef CLI_CMD_CONSOLE_JOB_H
#define CLI_CMD_CONSOLE_JOB_H

#include <stddef.h>

struct cmd_verb;
struct conf;

/* Fetches one command of the console from the broker and runs it: 0. */
int console_job_run(
    const struct conf *, const struct cmd_verb *table, size_t n);

#endif
