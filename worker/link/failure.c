/* SPDX-License-Identifier: MIT */
/*
 * failure.c: reports refusals to the broker.  Anybody can be refused any number
 * of times, so each kind has a few reports a second of each app, and the worker
 * some hundred; a flood beyond them costs two comparisons.  Must never delay
 * the answer to a client.
 */

#include "worker/link/failure.h"

#include "shared/base/utf8.h"
#include "worker/app/apps.h"
#include "worker/core/core.h"
#include "worker/link/link.h"

#define FAILURES_PER_SECOND 10 /* of one kind and app */
#define ALL_PER_SECOND 500     /* of all apps */
#define NAME_MAX_BYTES 164
#define PROOF_MAX_BYTES 2048

static bool
may_send(struct worker *w, struct failure_budget *b, unsigned kind)
{
	uint32_t second = (uint32_t)worker_now();

	if (b->second != second)
		*b = (struct failure_budget){ .second = second };
	if (b->used[kind] >= FAILURES_PER_SECOND)
		return false;
	b->used[kind]++;
	if (w->link->failed_at != second) {
		w->link->failed_at = second;
		w->link->nfailed = 0;
	}
	return w->link->nfailed++ < ALL_PER_SECOND;
}

void
failure_report(struct worker *w, struct client_app *a, struct msg_failure *m)
{
	if (!may_send(
		w, a == NULL ? &w->link->failures : &a->failures, m->kind))
		return;
	m->app = a == NULL ? 0 : a->app.num;
	m->name = utf8_cut(m->name, NAME_MAX_BYTES);
	m->why = utf8_cut(m->why, NAME_MAX_BYTES);
	if (m->proof.n > PROOF_MAX_BYTES || m->data.n > PROOF_MAX_BYTES)
		m->proof = m->data = S("");
	link_send_failure(w, m);
}
