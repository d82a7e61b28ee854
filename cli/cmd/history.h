/* SPDX-License-Identifier: MIT */
#ifndef CLI_CMD_HISTORY_H
#define CLI_CMD_HISTORY_H

/* Tables of minutes or hours, from rows of the daemon. */

#include <stdbool.h>
#include <stddef.h>

#include "cli/out/out.h"

struct period;

struct history_rows {
	struct period *v; /* by time */
	size_t n, cap;
	bool hours; /* add minutes up */
};

/* A row of the verb `history`; arg: struct history_rows. */
void history_on_row(void *arg, struct json row);
/* A table of all, with the busiest of each kind marked. */
void history_put(const struct history_rows *, struct out *);
/* A table "peaks": the busiest period of each kind, and what it cost. */
void history_put_peaks(const struct history_rows *, struct out *);
void history_free(struct history_rows *);

#endif
