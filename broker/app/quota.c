/* SPDX-License-Identifier: MIT */
/*
 * quota.c: the limits that only the broker can enforce exactly, because it sees
 * all workers: connections of an app, publishes and reads a second.
 * Connections are counted by worker, so that those of a dead worker are gone at
 * once and never drift.  Must never decide what a client is told.
 */

#include "broker/app/quota.h"

#include <math.h>

#include "broker/app/apps.h"
#include "broker/core/core.h"
#include "broker/link/peer.h"
#include "shared/base/base.h"
#include "shared/base/token_bucket.h"
#include "shared/base/xmalloc.h"

/* Signatures of them may be mistaken for one another. */
static void
note_sid(struct broker_app *a, uint64_t sid)
{
	if (a->sids == NULL)
		a->sids = xcalloc(APP_SIDS, sizeof(*a->sids));
	a->sids[a->nsids++ % APP_SIDS] = sid;
}

static void
count(struct peer *p, struct broker_app *a, uint64_t sid)
{
	a->conns[p->slot]++;
	a->nconns++;
	p->nconns++;
	note_sid(a, sid);
}

void
quota_answer(
    struct peer *p, struct broker_app *a, uint64_t sid, enum place_answer is)
{
	struct msg_conn_ok ok = {
		.app = a->app.num, .sid = sid, .granted = (uint8_t)is
	};

	if (is == PLACE_GRANTED)
		count(p, a, sid);
	ipc_send_conn_ok(&p->ipc, &ok);
}

int
quota_on_conn_open(struct peer *p, const struct msg_conn_open *m)
{
	struct broker_app *a = apps_lookup(p->br, m->app);
	struct msg_conn_ok none = { .app = m->app, .sid = m->sid };
	uint32_t max;

	if (a == NULL) {
		if (m->ask)
			ipc_send_conn_ok(&p->ipc, &none);
		return 0;
	}
	max = a->app.max_connections;
	if (!m->ask)
		count(p, a, m->sid);
	else if (a->deleted || (max != 0 && a->nconns >= max))
		quota_answer(p, a, m->sid, PLACE_FULL);
	else if (max == 0 || p->br->apps->ops->has_place == NULL ||
	    p->br->apps->ops->has_place(p, a, m->sid))
		quota_answer(p, a, m->sid, PLACE_GRANTED);
	return 0;
}

int
quota_on_conn_close(struct peer *p, const struct msg_conn_close *m)
{
	struct broker_app *a = apps_lookup(p->br, m->app);

	if (a == NULL)
		return 0; /* it was not counted */
	if (a->conns[p->slot] == 0)
		return -1;
	a->conns[p->slot]--;
	a->nconns--;
	p->nconns--;
	apps_on_left(p->br, a);
	return 0;
}

void
quota_drop(struct broker *br, unsigned slot)
{
	struct hash_node *n;

	HASH_FOREACH(n, &br->apps->by_num) {
		struct broker_app *a = container_of(n, struct broker_app, node);

		if (a->conns[slot] == 0)
			continue;
		a->nconns -= a->conns[slot];
		a->conns[slot] = 0;
		apps_on_left(br, a);
	}
}

void
quota_move(struct broker *br, unsigned from, unsigned to)
{
	struct hash_node *n;

	HASH_FOREACH(n, &br->apps->by_num) {
		struct broker_app *a = container_of(n, struct broker_app, node);

		a->conns[to] += a->conns[from];
		a->conns[from] = 0;
	}
}

uint32_t
quota_take(struct bucket *b, uint32_t rate, uint32_t n, double now)
{
	double need = MIN(n, rate), wait;

	b->tokens = token_bucket_fill(b->tokens, &b->at, now, rate, rate);
	if (b->tokens >= need) {
		b->tokens -= n;
		return 0;
	}
	wait = ceil((need - b->tokens) / rate * 1000);
	return (uint32_t)MAX(1., MIN(wait, (double)UINT32_MAX));
}

int
quota_on_take(struct peer *p, const struct msg_take *m)
{
	struct broker_app *a = apps_find(p->br, m->app);
	struct msg_take_done done = { .id = m->id };
	uint32_t rate = 0;

	if (m->kind != TAKE_EVENTS && m->kind != TAKE_READS)
		return -1;
	if (a != NULL)
		rate = m->kind == TAKE_EVENTS
		    ? a->app.max_backend_events_per_second
		    : a->app.max_read_requests_per_second;
	if (rate > 0)
		done.wait_ms =
		    quota_take(&a->buckets[m->kind], rate, m->n, broker_now());
	ipc_send_take_done(&p->ipc, &done);
	return 0;
}
