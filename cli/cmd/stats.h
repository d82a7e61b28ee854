/* SPDX-License-Identifier: MIT */
#ifndef CLI_CMD_STATS_H
#define CLI_CMD_STATS_H

/* The commands about numbers: stats, top, closes. */

#include "cli/cmd/cmd.h"

extern const struct cmd_option cmd_stats_options[];
extern const struct cmd_option cmd_top_options[];
extern const struct cmd_option cmd_closes_options[];

int cmd_stats(struct cmd *);
/* With --since, --step or --csv. */
int cmd_over_time(struct cmd *);
int cmd_top(struct cmd *);
int cmd_closes(struct cmd *);

/*
 * The value of an option as a number from 1 to max, or `otherwise` when it is
 * missing: CMD_OK, or CMD_USAGE after a message.
 */
int cmd_stats_count(const struct cmd *, const char *option, uint64_t otherwise,
    uint64_t max, uint64_t *out);

#endif
