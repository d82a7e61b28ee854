/* SPDX-License-Identifier: MIT */
/*
 * confirm.c: pusherctl publish --wait: the job that waits for the receipt of
 * its event.  Owns struct confirm.
 */

#include "broker/control/confirm.h"

#include <stdlib.h>

#include "broker/channel/receipt.h"
#include "broker/control/control_job.h"
#include "broker/control/verb_args.h"
#include "shared/base/base.h"
#include "shared/base/xmalloc.h"

struct confirm {
	struct control_job job;
	struct receipt receipt;
};

static void
on_done(struct receipt *r)
{
	struct confirm *x = container_of(r, struct confirm, receipt);
	struct control_client *cc = x->job.cc;
	const struct receipt_channel *v = &r->v[0];
	uint32_t resumable = v->confirmed + v->open;
	struct json_writer w;

	verb_row_begin(&w, NULL);
	json_member_u64(&w, "subscriptions", resumable + v->without_session);
	json_member_u64(&w, "resumable", resumable);
	json_member_u64(&w, "confirmed", v->confirmed);
	json_member_u64(&w, "ms", receipt_ms(r));
	verb_row_end(cc, &w);
	control_end_published(cc);
}

static void
confirm_free(struct control_job *job)
{
	struct confirm *x = container_of(job, struct confirm, job);

	receipt_end(&x->receipt);
	free(x);
}

void
confirm_begin(struct control_client *cc, const struct msg_event *m, uint64_t ms)
{
	static const struct control_job_ops ops = { .free = confirm_free };
	const struct receipt_event e = { m->channel, m->pos, m->except };
	struct confirm *x = xcalloc(1, sizeof(*x));
	const char *why;

	x->receipt.br = cc->br;
	x->receipt.done = on_done;
	control_job_start(cc, &x->job, &ops);
	if (!receipt_begin(&x->receipt, m->app, &e, 1, ms, &why))
		control_fail(cc, "the event is published, but %s", why);
}
