/* SPDX-License-Identifier: MIT */
/*
 * query_publish.c: bodies for publishes with info=, and for those that wait
 * until their subscribers confirm (X-Pusherd-Confirm).  Owns the questions
 * that wait.
 */

#include "broker/channel/query_publish.h"

#include <stdlib.h>
#include <string.h>

#include "broker/channel/query_body.h"
#include "broker/channel/receipt.h"
#include "broker/channel/registry.h"
#include "broker/core/budget.h"
#include "broker/core/core.h"
#include "broker/link/peer.h"
#include "broker/log/past.h"
#include "broker/log/replay.h"
#include "shared/base/base.h"
#include "shared/base/xmalloc.h"
#include "shared/json/json_write.h"

/* One that waits. */
struct waiting {
	struct receipt receipt;
	struct peer *peer;
	uint64_t epoch;     /* of the log that numbered its events */
	struct msg_query m; /* its lines are in text */
	char text[];
};

struct query_line {
	uint64_t info, seq, except;
	struct str name;
};

static int
take_number(struct str *line, uint64_t max, uint64_t *n)
{
	int r = str_to_u64(str_cut(line, ' '), max, n);

	return line->p == NULL ? -1 : r;
}

/* Cuts one line off.  1: got one; 0: that was the last; -1: no such line. */
static int
next_line(struct str *rest, struct query_line *l)
{
	struct str line;

	if (rest->p == NULL || rest->n == 0)
		return 0;
	line = str_cut(rest, '\n');
	if (take_number(&line, UINT32_MAX, &l->info) == -1 ||
	    take_number(&line, UINT64_MAX, &l->seq) == -1 ||
	    take_number(&line, UINT64_MAX, &l->except) == -1 || line.n == 0)
		return -1;
	l->name = line;
	return 1;
}

static void
put_receipt(struct json_writer *w, const struct receipt_channel *v)
{
	json_member_u64(w, "confirmed", v->confirmed);
	json_member_u64(w, "open", v->open);
	json_member_u64(w, "without_session", v->without_session);
}

/*
 * x: what has waited, or NULL.  Its event is not searched for again: many newer
 * ones may have come.
 */
static void
put_id(struct peer *p, const struct app_log *log, const struct query_line *l,
    const struct waiting *x, size_t i, struct json_writer *w)
{
	if (log == NULL || (l->info & INFO_EVENT_ID) == 0)
		return;
	if (x == NULL)
		past_put_id(log, past_pos(log, l->name, p->origin, l->seq), w);
	else if (x->epoch == ring_epoch(log->ring))
		past_put_id(log, x->receipt.v[i].pos, w);
}

/* {"channels":{"a":{…}}} or {"batch":[{…}]}; x: what has waited, or NULL. */
static int
put_lines(struct peer *p, const struct msg_query *m, const struct waiting *x,
    struct json_writer *w)
{
	bool batch = m->kind == QUERY_BATCH_INFO;
	const struct app_log *log = app_logs_find(&p->br->replay->logs, m->app);
	struct str rest = m->channel;
	struct query_line l;
	int r;

	json_key(w, batch ? "batch" : "channels");
	if (batch)
		json_array_open(w);
	else
		json_object_open(w);
	for (size_t i = 0; (r = next_line(&rest, &l)) == 1; i++) {
		if (!batch)
			json_key_str(w, l.name);
		json_object_open(w);
		query_put_info(p->br, w, l.name,
		    registry_find(p->br->registry, m->app, l.name),
		    (uint32_t)l.info);
		put_id(p, log, &l, x, i, w);
		if (x != NULL)
			put_receipt(w, &x->receipt.v[i]);
		json_object_close(w);
	}
	if (batch)
		json_array_close(w);
	else
		json_object_close(w);
	return r;
}

/* ---- those that wait ---- */

static void
waiting_free(struct waiting *x)
{
	receipt_end(&x->receipt);
	free(x);
}

/*
 * Answers, and ends it.  why: NULL, or why the confirmations of the event,
 * which is published all the same, are not waited for.
 */
static void
finish(struct waiting *x, const char *why)
{
	struct json_writer w;

	json_writer_init(&w);
	json_object_open(&w);
	put_lines(x->peer, &x->m, why == NULL ? x : NULL, &w);
	if (why == NULL) {
		json_member_u64(&w, "waited_ms", receipt_ms(&x->receipt));
	} else {
		json_member_str(&w, "not_confirmed", str_of(why));
	}
	json_object_close(&w);
	query_reply_json(x->peer, x->m.id, &w);
	waiting_free(x);
}

static void
on_done(struct receipt *r)
{
	finish(container_of(r, struct waiting, receipt), NULL);
}

/* The events of the lines; NULL: they make no sense.  Free(3) it. */
static struct receipt_event *
read_events(struct peer *p, const struct msg_query *m, size_t *n)
{
	const struct app_log *log = app_logs_find(&p->br->replay->logs, m->app);
	struct receipt_event *v = NULL;
	struct str rest = m->channel;
	struct query_line l;
	size_t cap = 0;
	int r;

	for (*n = 0; (r = next_line(&rest, &l)) == 1; ++*n) {
		if (*n == cap) {
			cap = MAX(cap * 2, 4u);
			v = xreallocarray(v, cap, sizeof(*v));
		}
		v[*n] = (struct receipt_event){ .channel = l.name,
			.except = l.except };
		if (log != NULL)
			v[*n].pos = past_pos(log, l.name, p->origin, l.seq);
	}
	if (r == 0 && *n > 0)
		return v;
	free(v);
	return NULL;
}

static int
wait_for(struct peer *p, const struct msg_query *m)
{
	const struct app_log *log = app_logs_find(&p->br->replay->logs, m->app);
	size_t n;
	struct receipt_event *v = read_events(p, m, &n);
	struct waiting *x;
	const char *why;

	if (v == NULL || m->wait_ms > QUERY_WAIT_MS)
		return -1;
	x = xcalloc(1, sizeof(*x) + m->channel.n);
	x->peer = p;
	x->epoch = log == NULL ? 0 : ring_epoch(log->ring);
	x->m = *m;
	memcpy(x->text, m->channel.p, m->channel.n);
	x->m.channel.p = x->text;
	x->receipt.br = p->br;
	x->receipt.done = on_done;
	x->receipt.bytes = sizeof(*x) + m->channel.n + BUDGET_BLOCK;
	if (!receipt_begin(&x->receipt, m->app, v, n, m->wait_ms, &why))
		finish(x, why);
	free(v);
	return 0;
}

void
query_publish_drop(struct broker *br, const struct peer *p)
{
	struct list *e, *tmp;

	LIST_FOREACH_SAFE(e, tmp, &br->receipts->all) {
		struct receipt *r = LIST_ITEM(e, struct receipt, link);
		struct waiting *x = container_of(r, struct waiting, receipt);

		if (r->done == on_done && (p == NULL || x->peer == p))
			waiting_free(x);
	}
}

int
query_publish_answer(struct peer *p, const struct msg_query *m)
{
	struct json_writer w;

	if (m->wait_ms > 0)
		return wait_for(p, m);
	json_writer_init(&w);
	json_object_open(&w);
	if (put_lines(p, m, NULL, &w) == -1) {
		json_writer_drop(&w);
		return -1;
	}
	json_object_close(&w);
	query_reply_json(p, m->id, &w);
	return 0;
}
