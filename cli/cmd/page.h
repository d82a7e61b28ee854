/* SPDX-License-Identifier: MIT */
#ifndef CLI_CMD_PAGE_H
#define CLI_CMD_PAGE_H

/*
 * Pages made from the table of commands, so that the manual and the shell's
 * completion always agree with pusherctl.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct cmd_option;
struct cmd_verb;

/* The manual page (etc/man/pusherctl.8). */
void page_print_manual(FILE *, const struct cmd_verb *, size_t n);
/* bash(1) completion of pusherctl and pusherd (etc/pusherd.bash). */
void page_print_completion(FILE *, const struct cmd_verb *, size_t n);
/* The same of pusherctl for zsh(1) (etc/pusherctl.zsh) and fish(1). */
void page_print_zsh(FILE *, const struct cmd_verb *, size_t n);
void page_print_fish(FILE *, const struct cmd_verb *, size_t n);
/* The page about GET /metrics (etc/doc/metrics.md). */
void page_print_metrics(FILE *);

/* For the shells: names with a blank before each. */
extern const char page_conf_names[];    /* options of the configuration */
extern const char page_setting_names[]; /* settings of an app */
/* Is its value the name of a file? */
bool page_takes_file(const struct cmd_option *);
/*
 * The options of all commands that take a value, without --set; files: only
 * those that take a file, or only the others.  by: what stands between two.
 */
void page_put_valued(
    FILE *, const struct cmd_verb *, size_t n, bool files, const char *by);

#endif
