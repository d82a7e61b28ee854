/* SPDX-License-Identifier: MIT */
#ifndef CLI_CMD_ROW_H
#define CLI_CMD_ROW_H

/* What commands read from a row of the daemon's, and how they print it. */

#include "cli/out/out.h"

/* A number of a row; 0 when it is not there. */
uint64_t row_u64(struct json row, const char *key);
/* A time: a date to the minute, in JSON seconds since 1970. */
void row_put_time(struct out *, const char *key, uint64_t seconds);

#endif
