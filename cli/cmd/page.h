/* SPDX-License-Identifier: MIT */
#ifndef CLI_CMD_PAGE_H
#define CLI_CMD_PAGE_H

/*
 * Pages made from the table of commands: what the manual and the shell know
 * of pusherctl is what pusherctl knows of itself.
 */

#include <stddef.h>
#include <stdio.h>

struct cmd_verb;

/* The manual page (etc/man/pusherctl.8). */
void page_print_manual(FILE *, const struct cmd_verb *, size_t n);
/* bash(1) completion of pusherctl and pusherd (etc/pusherd.bash). */
void page_print_completion(FILE *, const struct cmd_verb *, size_t n);
/* The page about GET /metrics (etc/doc/metrics.md). */
void page_print_metrics(FILE *);

#endif
