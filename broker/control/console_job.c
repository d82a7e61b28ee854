/* SPDX-License-Identifier: MIT */
/*
 * console_job.c: running commands of the console.  The master starts a process
 * for each command, which fetches it over the control socket and sends back its
 * output; the output goes to the worker whose client asked.  Owns struct
 * console_job.  A worker that is slow to take the output stops the command, not
 * the broker.  Must never run a command itself.
 */

#include "broker/control/console_job.h"

#include <stdlib.h>

#include "broker/app/apps.h"
#include "broker/control/control_job.h"
#include "broker/control/verb_args.h"
#include "broker/core/core.h"
#include "broker/link/peer.h"
#include "shared/base/base.h"
#include "shared/base/xmalloc.h"
#include "shared/ipc/master_link.h"

#define BEGIN_SECONDS 10.  /* seconds for a process to fetch it */
#define AHEAD (256u << 10) /* bytes queued to the worker; then it waits */

struct console_job {
	struct list link;
	struct control_job job; /* of the process, once there is one */
	bool runs;
	struct broker *br;
	unsigned slot;
	uint64_t id;      /* of the worker's connection */
	uint32_t session; /* its id */
	uint32_t app;     /* of its scope */
	double since;
	struct buf *row; /* the command, for the process */
};

#define JOB_OF(e) LIST_ITEM(e, struct console_job, link)

void
console_answer(struct broker *br, unsigned slot, uint64_t id, unsigned status,
    unsigned code, struct str body)
{
	struct msg_console_end m = {
		.id = id, .status = status, .code = code, .body = body
	};

	if (br->peers[slot] != NULL)
		ipc_send_console_end(&br->peers[slot]->ipc, &m);
}

static void
forget(struct console_job *j)
{
	struct console_secret *s =
	    console_session_by_id(&j->br->console->sessions, j->session);

	if (s != NULL && s->busy > 0)
		s->busy--;
	list_remove(&j->link);
	buf_unref(j->row);
	free(j);
}

/* The browser is gone: tells the process that the command is cancelled. */
static void
cancel(struct console_job *j)
{
	if (j->runs)
		control_end(j->job.cc); /* frees the job */
	else
		forget(j);
}

/* ---- the process ---- */

static struct console_job *
job_of(struct control_job *job)
{
	return container_of(job, struct console_job, job);
}

/*
 * Ends the connection of the process that runs the command, whatever the
 * reason.
 */
static void
on_free(struct control_job *job)
{
	struct console_job *j = job_of(job);

	if (!j->job.cc->ended)
		console_answer(j->br, j->slot, j->id, 503, 0,
		    S("the command has ended before its answer"));
	forget(j);
}

static bool
is_ready(const struct control_job *job)
{
	const struct console_job *j =
	    container_of(job, const struct console_job, job);
	const struct peer *p = j->br->peers[j->slot];

	return job->cc->ipc.paused && p != NULL &&
	    outq_bytes(&p->ipc.out) < AHEAD / 2;
}

static void
step(struct control_job *job)
{
	ipc_resume(&job->cc->ipc);
}

static int
on_out(struct control_job *job, struct str bytes)
{
	struct console_job *j = job_of(job);
	struct peer *p = j->br->peers[j->slot];
	struct msg_console_data m = { .id = j->id, .bytes = bytes };

	if (p == NULL || bytes.n == 0)
		return 0;
	ipc_send_console_data(&p->ipc, &m);
	if (outq_bytes(&p->ipc.out) > AHEAD)
		ipc_pause(&job->cc->ipc);
	return 0;
}

static int
on_exit_code(struct control_job *job, const struct msg_ctl_exit *m)
{
	struct console_job *j = job_of(job);

	console_answer(j->br, j->slot, j->id, 200, m->code, m->notes);
	control_end(job->cc);
	return 0;
}

static const struct control_job_ops run_ops = {
	.is_ready = is_ready,
	.step = step,
	.free = on_free,
	.out = on_out,
	.exit_code = on_exit_code,
	.endless = true,
};

void
verb_console_job(struct control_client *cc, struct json args)
{
	struct broker *br = cc->br;
	struct json_writer w;
	struct list *e;

	LIST_FOREACH(e, &br->console->jobs) {
		struct console_job *j = JOB_OF(e);
		struct msg_console_data begins = { .id = j->id };

		if (j->runs)
			continue;
		j->runs = true;
		control_job_start(cc, &j->job, &run_ops);
		json_writer_init(&w);
		json_put_raw(&w, buf_str(j->row));
		control_row(cc, &w);
		if (br->peers[j->slot] != NULL)
			ipc_send_console_data(
			    &br->peers[j->slot]->ipc, &begins);
		return;
	}
	control_end(cc); /* it has been cancelled */
}

/* ---- begin and end ---- */

bool
console_job_has_room(const struct broker *br, const struct console_secret *s)
{
	unsigned all = 0, own = 0;
	const struct list *e;

	LIST_FOREACH(e, &br->console->jobs) {
		all++;
		own += JOB_OF(e)->app == s->scope.app;
	}
	return s->busy < CONSOLE_JOBS_OF_SESSION && all < CONSOLE_JOBS &&
	    (s->scope.app == 0 || own + all < CONSOLE_JOBS_OF_APPS);
}

void
console_job_begin(struct peer *p, const struct msg_console_ask *m,
    struct console_secret *s, struct buf *row)
{
	struct broker *br = p->br;
	struct msg_master_request ask = { .verb = S("console") };
	struct console_job *j = xcalloc(1, sizeof(*j));

	*j = (struct console_job){ .br = br,
		.slot = (unsigned)p->slot,
		.id = m->id,
		.session = s->id,
		.app = s->scope.app,
		.since = broker_now(),
		.row = row };
	list_init(&j->link);
	list_append(&br->console->jobs, &j->link);
	s->busy++;
	if (br->inherit != NULL && master_link_ask(br->master_link, &ask) == 0)
		return;
	console_answer(
	    br, j->slot, j->id, 503, 0, S("cannot reach the master"));
	forget(j);
}

int
console_on_cancel(struct peer *p, const struct msg_console_cancel *m)
{
	struct list *e, *tmp;

	LIST_FOREACH_SAFE(e, tmp, &p->br->console->jobs)
		if (JOB_OF(e)->id == m->id &&
		    JOB_OF(e)->slot == (unsigned)p->slot)
			cancel(JOB_OF(e));
	return 0;
}

static void
end_job(struct console_job *j)
{
	console_answer(j->br, j->slot, j->id, 401, 0, S("the session is over"));
	cancel(j);
}

void
console_job_end_all(struct broker *br, const struct console_secret *s)
{
	struct list *e, *tmp;

	LIST_FOREACH_SAFE(e, tmp, &br->console->jobs)
		if (JOB_OF(e)->session == s->id)
			end_job(JOB_OF(e));
}

void
console_drop(struct broker *br, unsigned slot)
{
	struct list *e, *tmp;

	LIST_FOREACH_SAFE(e, tmp, &br->console->jobs)
		if (JOB_OF(e)->slot == slot)
			cancel(JOB_OF(e));
}

/* Has the time of the session, or its app, ended? */
static bool
is_over(const struct console_job *j, double now)
{
	const struct console_secret *s =
	    console_session_by_id(&j->br->console->sessions, j->session);

	return s == NULL || s->until <= now ||
	    (j->app != 0 && apps_find(j->br, j->app) == NULL);
}

void
console_tick(struct broker *br)
{
	double now = broker_now();
	struct list *e, *tmp;

	LIST_FOREACH_SAFE(e, tmp, &br->console->jobs) {
		struct console_job *j = JOB_OF(e);

		if (is_over(j, now)) {
			end_job(j);
		} else if (!j->runs && now - j->since >= BEGIN_SECONDS) {
			console_answer(br, j->slot, j->id, 503, 0,
			    S("no process for the command: the log has the "
			      "reason"));
			forget(j);
		}
	}
}

void
console_init(struct broker *br)
{
	list_init(&br->console->jobs);
}

void
console_clear(struct broker *br)
{
	for (unsigned i = 0; i < br->nslots; i++)
		console_drop(br, i);
	console_sessions_clear(&br->console->sessions);
}
