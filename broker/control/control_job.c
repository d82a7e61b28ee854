/* SPDX-License-Identifier: MIT */
/*
 * control_job.c: rows and ends for clients of the control socket, and the jobs
 * that write them over several turns.  Owns the list of jobs.  A client that
 * does not read gets no more rows than its bound allows.  Must never delay the
 * workers: a job writes one portion in a turn.
 */

#include "broker/control/control_job.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "broker/core/core.h"
#include "broker/link/peer.h"
#include "shared/base/base.h"
#include "shared/base/xmalloc.h"

#define QUEUE_MAX (1u << 20) /* bytes; above it no more rows */

#define JOB_OF(e) LIST_ITEM(e, struct control_job, link)

void
control_job_start(struct control_client *cc, struct control_job *job,
    const struct control_job_ops *ops)
{
	struct control_jobs *jobs = cc->br->control_jobs;

	job->ops = ops;
	job->cc = cc;
	job->id = ++jobs->last_id;
	list_init(&job->link);
	list_append(&jobs->all, &job->link);
	cc->job = job;
}

struct control_job *
control_job_find(
    const struct broker *br, const struct control_job_ops *ops, uint64_t id)
{
	struct list *e;

	LIST_FOREACH(e, &br->control_jobs->all)
		if (JOB_OF(e)->ops == ops && JOB_OF(e)->id == id)
			return JOB_OF(e);
	return NULL;
}

void
control_job_drop(struct control_client *cc)
{
	struct control_job *job = cc->job;

	if (job == NULL)
		return;
	cc->job = NULL;
	list_remove(&job->link);
	if (job->ops->free != NULL)
		job->ops->free(job);
	else
		free(job);
}

/* ---- scheduling ---- */

static bool
is_ready(const struct control_job *job)
{
	return job->ops->step != NULL &&
	    (job->ops->is_ready == NULL || job->ops->is_ready(job));
}

void
control_jobs_step(struct broker *br)
{
	struct list *e, *tmp;

	LIST_FOREACH_SAFE(e, tmp, &br->control_jobs->all)
		if (is_ready(JOB_OF(e)) && control_has_room(JOB_OF(e)->cc))
			JOB_OF(e)->ops->step(JOB_OF(e));
}

void
control_jobs_tick(struct broker *br)
{
	struct list *e, *tmp;

	LIST_FOREACH_SAFE(e, tmp, &br->control_jobs->all)
		if (JOB_OF(e)->ops->tick != NULL)
			JOB_OF(e)->ops->tick(JOB_OF(e));
}

void
control_jobs_pong(struct broker *br, unsigned slot, uint64_t id)
{
	struct list *e, *tmp;

	LIST_FOREACH_SAFE(e, tmp, &br->control_jobs->all)
		if (JOB_OF(e)->ops->pong != NULL)
			JOB_OF(e)->ops->pong(JOB_OF(e), slot, id);
}

bool
control_jobs_wait(const struct broker *br)
{
	struct list *e;

	LIST_FOREACH(e, &br->control_jobs->all)
		if (!JOB_OF(e)->cc->ipc.blocked && is_ready(JOB_OF(e)))
			return true;
	return false;
}

/* ---- answers ---- */

bool
control_has_room(const struct control_client *cc)
{
	return outq_bytes(&cc->ipc.out) < QUEUE_MAX;
}

void
control_row(struct control_client *cc, struct json_writer *w)
{
	struct buf *b = json_writer_take(w);
	struct msg_ctl_row m = { .json = buf_str(b) };

	ipc_send_ctl_row(&cc->ipc, &m);
	buf_unref(b);
}

static void
send_end(struct control_client *cc, uint32_t code, struct str text)
{
	struct msg_ctl_end m = { .code = code, .text = text };

	if (cc->ended)
		return;
	cc->ended = true;
	ipc_send_ctl_end(&cc->ipc, &m);
	control_job_drop(cc);
}

void
control_end(struct control_client *cc)
{
	send_end(cc, 0, S(""));
}

void
control_fail(struct control_client *cc, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	send_end(cc, 1, str_of(text));
}

/* ---- ends that wait for the workers ---- */

/* Waits until every worker has read what was sent. */
struct reading {
	struct control_job job;
	uint64_t ping, slots; /* awaited PONGs, of these workers */
};

static void
reading_pong(struct control_job *job, unsigned slot, uint64_t id)
{
	struct reading *r = container_of(job, struct reading, job);

	if (id < r->ping)
		return;
	r->slots &= ~(UINT64_C(1) << slot);
	if (r->slots == 0)
		control_end(job->cc);
}

void
control_end_when_read(struct control_client *cc)
{
	static const struct control_job_ops ops = { .pong = reading_pong };
	struct reading *r = xcalloc(1, sizeof(*r));

	control_job_drop(cc);
	control_job_start(cc, &r->job, &ops);
	r->ping = peer_ping(cc->br, &r->slots);
	if (r->slots == 0)
		control_end(cc);
}

void
control_end_published(struct control_client *cc)
{
	if (cc->br->links->alone != NULL)
		control_end_when_read(cc);
	else
		control_end(cc);
}
