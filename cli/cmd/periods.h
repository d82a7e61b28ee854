/* SPDX-License-Identifier: MIT */
#ifndef CLI_CMD_PERIODS_H
#define CLI_CMD_PERIODS_H

/* What minutes or hours brought, from rows of the daemon's. */

#include <stdbool.h>
#include <stddef.h>

#include "cli/out/out.h"

struct period;

struct periods {
	struct period *v; /* by time */
	size_t n, cap;
	bool hours; /* add minutes up */
};

/* A row of the verb `history`; arg: struct periods. */
void periods_on_row(void *arg, struct json row);
/* A table of all, with the busiest of each kind marked. */
void periods_put(const struct periods *, struct out *);
/* A table "peaks": the busiest period of each kind, and what it cost. */
void periods_put_peaks(const struct periods *, struct out *);
void periods_clear(struct periods *);

#endif
