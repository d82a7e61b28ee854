/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CONTROL_STATS_JOB_H
#define BROKER_CONTROL_STATS_JOB_H

/* An answer that needs fresh numbers from the workers. */

#include <stdint.h>

struct control_client;

struct stats_args {
	uint32_t app;   /* 0: all apps */
	uint64_t limit; /* rows */
};

typedef void (*stats_job_then)(
    struct control_client *, const struct stats_args *);

/*
 * Calls then(), which ends the answer, when the workers have reported or
 * TOTALS_WAIT has passed; perhaps before it returns.
 */
void stats_job_begin(
    struct control_client *, const struct stats_args *, stats_job_then);

#endif
