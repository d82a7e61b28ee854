/* SPDX-License-Identifier: MIT */
/*
 * verb_webhook.c: the verbs about webhooks: their state, and a test.  Waiting
 * and failed requests are in the outbox, which pusherctl reads itself.  Must
 * never log a URL.
 */

#include "broker/control/verb_webhook.h"

#include "broker/control/control_job.h"
#include "broker/control/verb_args.h"
#include "broker/core/core.h"
#include "broker/webhook/endpoints.h"
#include "broker/webhook/events.h"
#include "broker/webhook/queue.h"

void
verb_webhooks_row(struct control_client *cc)
{
	const struct webhook_queue *q = cc->br->webhook_queue;
	bool idle = cc->br->endpoints->apps.n == 0 && q->n == 0 && !q->ready;
	struct json_writer w;

	verb_row_begin(&w, "webhooks");
	json_key(&w, "state");
	if (q->courier == NULL)
		json_put_str(&w, S("down"));
	else if (q->ready)
		json_put_str(&w, S("up"));
	else
		json_put_str(&w, idle ? S("idle") : S("stuck"));
	json_member_u64(&w, "queued", q->n);
	json_member_u64(&w, "waiting", q->waiting);
	json_member_u64(&w, "dead", q->dead);
	json_member_u64(&w, "dropped", q->dropped + q->outbox_dropped);
	json_member_str(
	    &w, "trouble", q->trouble == NULL ? S("") : str_of(q->trouble));
	verb_row_end(cc, &w);
}

void
verb_webhook_test(struct control_client *cc, struct json args)
{
	const char *why = "webhook: not a number";
	uint64_t num;

	if (json_u64(json_get(args, S("webhook")), UINT32_MAX, &num) == 0)
		why = webhook_events_test(cc->br, (uint32_t)num);
	if (why != NULL)
		control_fail(cc, "%s", why);
	else
		control_end(cc);
}
