/* SPDX-License-Identifier: MIT */
/*
 * minutes_ask.c: questions for statistics over time, between workers and the
 * courier.  Owns the list of those that the courier has.  The courier answers
 * in order, so an app may have few of them there; what an app asks delays
 * another one by so many answers at most.  Must never read the file.
 */

#include "broker/stats/minutes_ask.h"

#include <inttypes.h>
#include <stdlib.h>

#include "broker/app/apps.h"
#include "broker/app/quota.h"
#include "broker/core/core.h"
#include "broker/link/peer.h"
#include "broker/stats/minutes.h"
#include "broker/webhook/queue.h"
#include "shared/base/base.h"
#include "shared/base/buf.h"
#include "shared/base/xmalloc.h"

struct minutes_query {
	struct list link;
	uint64_t ask, id, origin; /* id and origin: of the worker */
	uint32_t app;
	int slot;
};

static void
reply(struct peer *p, uint64_t id, uint32_t status, struct str body)
{
	struct msg_reply m = { .id = id, .status = status, .body = body };

	ipc_send_reply(&p->ipc, &m);
}

static void
refuse(struct peer *p, uint64_t id, unsigned status, const char *why)
{
	struct buf *b = NULL;

	buf_printf(&b, "{\"error\":\"%s\",\"code\":%u}", why, status);
	reply(p, id, status, buf_str(b));
	buf_unref(b);
}

/* Why it cannot be asked now, or NULL. */
static const char *
may_ask(struct broker *br, struct broker_app *a, unsigned *status)
{
	size_t n = 0, own = 0;
	struct list *e;

	LIST_FOREACH(e, &br->minutes->queries) {
		n++;
		own +=
		    LIST_ITEM(e, struct minutes_query, link)->app == a->app.num;
	}
	*status = 429;
	if (own >= MINUTES_ASKED_APP)
		return "the app has " TEXT_OF(
		    MINUTES_ASKED_APP) " requests for statistics that wait: "
				       "ask for one after "
				       "another";
	if (quota_take(&a->buckets[TAKE_STATISTICS], MINUTES_ASKS, 1,
		broker_now()) > 0)
		return "an app may ask for statistics " TEXT_OF(
		    MINUTES_ASKS) " times in a second: try again in 1 s";
	*status = 503;
	if (br->webhook_queue->courier == NULL)
		return "the process that keeps the statistics is starting: try "
		       "again in 1 s";
	if (n >= MINUTES_ASKED_MAX)
		return TEXT_OF(MINUTES_ASKED_MAX) " requests for statistics "
						  "wait: try again in 1 s";
	return NULL;
}

void
minutes_ask(struct peer *p, const struct msg_query *m)
{
	struct broker *br = p->br;
	struct broker_app *a = apps_find(br, m->app);
	struct msg_minutes_ask out = { .period = m->channel };
	struct minutes_query *q;
	unsigned status = 404;
	const char *why = "the app does not exist any more";

	if (a != NULL)
		why = may_ask(br, a, &status);
	if (why != NULL) {
		refuse(p, m->id, status, why);
		return;
	}
	q = xcalloc(1, sizeof(*q));
	*q = (struct minutes_query){ .ask = ++br->minutes->nasks,
		.id = m->id,
		.origin = p->origin,
		.app = m->app,
		.slot = p->slot };
	list_append(&br->minutes->queries, &q->link);
	out.id = q->ask;
	out.app = str_of(a->app.id);
	ipc_send_minutes_ask(&br->webhook_queue->courier->ipc, &out);
}

/* The worker that asked, or NULL: it is gone. */
static struct peer *
end(struct broker *br, struct minutes_query *q, uint64_t *id)
{
	struct peer *p = br->peers[q->slot];

	*id = q->id;
	if (p != NULL && p->origin != q->origin)
		p = NULL;
	list_remove(&q->link);
	free(q);
	return p;
}

int
minutes_on_answer(struct peer *courier, const struct msg_minutes *m)
{
	struct broker *br = courier->br;
	struct minutes_query *q;
	struct peer *p;
	uint64_t id;

	if (list_is_empty(&br->minutes->queries))
		return -1;
	q = LIST_ITEM(br->minutes->queries.next, struct minutes_query, link);
	if (q->ask != m->id)
		return -1;
	p = end(br, q, &id);
	if (p != NULL)
		reply(p, id, m->status, m->body);
	return 0;
}

void
minutes_queries_lost(struct broker *br)
{
	struct list *queries = &br->minutes->queries;
	struct peer *p;
	uint64_t id;

	while (!list_is_empty(queries)) {
		p = end(br,
		    LIST_ITEM(queries->next, struct minutes_query, link), &id);
		if (p != NULL)
			refuse(p, id, 503,
			    "the process that keeps the statistics has ended: "
			    "try again in 1 s");
	}
}
