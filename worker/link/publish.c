/* SPDX-License-Identifier: MIT */
/*
 * publish.c: finishes an event where it enters.  From here on it is opaque
 * bytes: every subscriber reads the frame that is built now.
 */

#include "worker/link/publish.h"

#include "shared/app/app.h"
#include "shared/pusher/frames.h"
#include "worker/app/stats.h"
#include "worker/core/core.h"
#include "worker/link/link.h"
#include "worker/link/unacked.h"

/*
 * A lone worker need not wait for the broker, except for an event that is
 * logged: the broker gives it its number.
 */
static bool
is_direct(const struct worker *w, const struct msg_event *m)
{
	return (m->flags & (EVENT_CLIENT | EVENT_LOG)) == EVENT_CLIENT &&
	    link_is_alone(w) && unacked_may_deliver(w, msg_event_size(m));
}

struct msg_event
publish_event(struct worker *w, const struct app *app, const struct publish *p)
{
	struct buf **b = worker_scratch(w);
	struct msg_event m = { .app = app->num,
		.read_us = (uint32_t)stats_stamp(w),
		.except = p->except,
		.flags = p->flags,
		.channel = p->channel };

	if (app->resume &&
	    (!(p->flags & EVENT_CLIENT) || app->resume_client_events))
		m.flags |= EVENT_LOG;
	frame_event(b, p->event, p->channel, p->data_raw, p->user_id);
	m.frame = buf_str(*b);
	if (is_direct(w, &m))
		m.flags |= EVENT_DELIVERED;
	unacked_send_event(w, &m);
	return m;
}
