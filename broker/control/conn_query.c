/* SPDX-License-Identifier: MIT */
/*
 * conn_query.c: asks the workers about their connections, for pusherctl.  Owns
 * struct conn_query.  A list goes from worker to worker, one portion at a time;
 * the next portion is requested when the client has room for it, so that a list
 * of any length costs one portion of memory.  All workers close connections in
 * parallel.
 */

#include "broker/control/conn_query.h"

#include <stdlib.h>

#include "broker/control/control_job.h"
#include "broker/control/verb_args.h"
#include "broker/core/core.h"
#include "broker/link/peer.h"
#include "shared/base/base.h"
#include "shared/base/xmalloc.h"

struct conn_query {
	struct control_job job;
	struct msg_conn_query what; /* its texts lie in `text` */
	uint64_t waits;    /* bit per worker that owes CONN_QUERY_ROWS */
	uint64_t open;     /* ... whose list is incomplete */
	unsigned next;     /* lists: the worker to ask next */
	uint64_t n, limit; /* connections */
	char text[];
};

static bool
is_kill(const struct conn_query *s)
{
	return s->what.kind == CONN_QUERY_KILL ||
	    s->what.kind == CONN_QUERY_RECONNECT;
}

static struct conn_query *
query_of(struct control_job *job)
{
	return container_of(job, struct conn_query, job);
}

static void
query_free(struct control_job *job)
{
	struct conn_query *s = query_of(job);
	struct msg_conn_query_cancel m = { .id = s->what.id };

	for (uint64_t mask = s->open; mask != 0; mask &= mask - 1) {
		struct peer *p = job->cc->br->peers[__builtin_ctzll(mask)];

		if (p != NULL)
			ipc_send_conn_query_cancel(&p->ipc, &m);
	}
	free(s);
}

static void
killed_row(struct conn_query *s)
{
	struct json_writer w;

	verb_row_begin(&w, "closed");
	json_member_u64(&w, "closed", s->n);
	verb_row_end(s->job.cc, &w);
}

/* Ends the answer and the query. */
static void
finish(struct conn_query *s)
{
	if (is_kill(s))
		killed_row(s);
	if (s->n == 0 && s->what.sid != 0)
		control_fail(
		    s->job.cc, "there is no such connection (any more)");
	else
		control_end(s->job.cc);
}

static void
ask(struct conn_query *s, unsigned slot)
{
	s->open |= UINT64_C(1) << slot;
	s->waits |= UINT64_C(1) << slot;
	ipc_send_conn_query(&s->job.cc->br->peers[slot]->ipc, &s->what);
}

/* Lists: the next worker. */
static void
ask_next(struct conn_query *s)
{
	struct broker *br = s->job.cc->br;

	while (s->next < br->nslots && br->peers[s->next] == NULL)
		s->next++;
	if (s->next < br->nslots)
		ask(s, s->next++);
	else
		finish(s);
}

/* Lists: true when no worker owes rows, so that the next can be asked. */
static bool
is_ready(const struct control_job *job)
{
	const struct conn_query *s =
	    container_of(job, const struct conn_query, job);

	return !is_kill(s) && s->waits == 0;
}

/* Asks for the next portion of a list. */
static void
step(struct control_job *job)
{
	struct conn_query *s = query_of(job);
	struct msg_conn_query_more m = { .id = s->what.id };

	if (s->open == 0) {
		ask_next(s);
		return;
	}
	s->waits = s->open;
	ipc_send_conn_query_more(
	    &job->cc->br->peers[__builtin_ctzll(s->open)]->ipc, &m);
}

/* A worker that is gone owes nothing. */
static void
pong(struct control_job *job, unsigned slot, uint64_t id)
{
	struct conn_query *s = query_of(job);
	uint64_t bit = UINT64_C(1) << slot;

	if (id != UINT64_MAX || (s->open & bit) == 0)
		return;
	s->open &= ~bit;
	s->waits &= ~bit;
	if (is_kill(s) && s->open == 0)
		finish(s);
}

static const struct control_job_ops ops = {
	.is_ready = is_ready,
	.step = step,
	.pong = pong,
	.free = query_free,
};

void
conn_query_begin(struct control_client *cc, const struct msg_conn_query *what,
    uint64_t limit)
{
	struct conn_query *s =
	    xcalloc(1, sizeof(*s) + what->channel.n + what->user_id.n);

	control_job_start(cc, &s->job, &ops);
	s->limit = limit;
	s->what = *what;
	s->what.id = s->job.id;
	if (what->channel.n > 0)
		memcpy(s->text, what->channel.p, what->channel.n);
	if (what->user_id.n > 0)
		memcpy(s->text + what->channel.n, what->user_id.p,
		    what->user_id.n);
	s->what.channel.p = s->text;
	s->what.user_id.p = s->text + what->channel.n;
	if (!is_kill(s)) {
		ask_next(s);
		return;
	}
	for (unsigned i = 0; i < cc->br->nslots; i++)
		if (cc->br->peers[i] != NULL)
			ask(s, i);
	if (s->open == 0)
		finish(s);
}

/* Writes one line for each; true when the limit is reached. */
static bool
pass_rows(struct conn_query *s, struct str rows)
{
	while (rows.p != NULL && rows.n > 0) {
		struct msg_ctl_row row = { .json = str_cut(&rows, '\n') };

		ipc_send_ctl_row(&s->job.cc->ipc, &row);
		s->n++;
		if (s->limit != 0 && s->n == s->limit)
			return true;
	}
	return false;
}

int
conn_query_on_rows(struct peer *p, const struct msg_conn_query_rows *m)
{
	struct control_job *job = control_job_find(p->br, &ops, m->id);
	uint64_t bit = UINT64_C(1) << p->slot;
	struct conn_query *s;

	if (job == NULL)
		return 0; /* it was cancelled */
	s = query_of(job);
	if ((s->open & bit) == 0)
		return -1;
	s->waits &= ~bit;
	if (m->last)
		s->open &= ~bit;
	if (is_kill(s)) {
		s->n += m->n;
		if (s->open == 0)
			finish(s);
		else
			killed_row(s); /* the query continues */
	} else if (pass_rows(s, m->rows) || (s->n > 0 && s->what.sid != 0)) {
		finish(s);
	}
	return 0;
}
