/* SPDX-License-Identifier: MIT */
#ifndef CLI_CMD_BENCH_H
#define CLI_CMD_BENCH_H

#include "cli/cmd/cmd.h"

extern const struct cmd_option cmd_bench_options[];
extern const char cmd_bench_help[];
int cmd_bench(struct cmd *);

#endif
