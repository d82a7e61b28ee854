/* SPDX-License-Identifier: MIT */
#ifndef CLI_CMD_TOP_RATES_H
#define CLI_CMD_TOP_RATES_H

/* The daemon's counters at two moments, and their growth in a second. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/cmd/cmd.h"

#define TOP_NAME_BYTES 128

enum top_kind { TOP_SERVER, TOP_WORKER, TOP_APP };

/* Counters from which rates are made. */
enum top_field {
	TOP_IN,
	TOP_OUT,
	TOP_BYTES_IN,
	TOP_BYTES_OUT,
	TOP_PUBLISHED,
	TOP_API,
	TOP_CPU,
	TOP_RATES
};

struct top_line {
	enum top_kind kind;
	char name[TOP_NAME_BYTES];  /* of a worker its slot, of an app its id */
	char label[TOP_NAME_BYTES]; /* the name of an app */
	uint64_t connections, subscriptions, queued, memory, turn_max, uptime;
	bool up;
	uint64_t counters[TOP_RATES];
};

struct top_reading {
	struct top_line *v;
	size_t n, cap;
	double at; /* seconds */
};

struct top {
	struct top_reading before, now;
};

/* The next reading; an enum cmd_exit. */
int top_read(struct top *, const struct cmd *);
void top_clear(struct top *);
/* The growth in a second of a counter of a line of the last reading. */
uint64_t top_rate(const struct top *, const struct top_line *, enum top_field);
size_t top_count(const struct top *, enum top_kind);

#endif
