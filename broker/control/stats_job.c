/* SPDX-License-Identifier: MIT */
/*
 * stats_job.c: waits for the workers' numbers before a verb answers.  Owns
 * struct stats_job.  Must never wait longer than totals.c does.
 */

#include "broker/control/stats_job.h"

#include <stdlib.h>

#include "broker/control/control_job.h"
#include "broker/stats/totals.h"
#include "shared/base/base.h"
#include "shared/base/xmalloc.h"

struct stats_job {
	struct control_job job;
	struct totals_wait wait;
	struct stats_args args;
	stats_job_then then;
};

static void
on_numbers(struct broker *br, struct totals_wait *wait)
{
	struct stats_job *s = container_of(wait, struct stats_job, wait);
	struct stats_args args = s->args;

	s->then(s->job.cc, &args);
}

static void
stats_job_free(struct control_job *job)
{
	struct stats_job *s = container_of(job, struct stats_job, job);

	totals_forget(&s->wait);
	free(s);
}

void
stats_job_begin(struct control_client *cc, const struct stats_args *args,
    stats_job_then then)
{
	static const struct control_job_ops ops = { .free = stats_job_free };
	struct stats_job *s = xcalloc(1, sizeof(*s));

	s->args = *args;
	s->then = then;
	s->wait.done = on_numbers;
	control_job_start(cc, &s->job, &ops);
	totals_ask(cc->br, &s->wait);
}
