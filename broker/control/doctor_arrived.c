/* SPDX-License-Identifier: MIT */
/*
 * doctor_arrived.c: a channel that has subscribers: how many of them have its
 * last event, and what else may keep a page from showing it.
 */

#include "broker/app/apps.h"
#include "broker/channel/registry.h"
#include "broker/control/doctor.h"
#include "broker/core/core.h"
#include "broker/log/replay.h"
#include "broker/log/resume_channels.h"
#include "broker/stats/history.h"
#include "shared/base/base.h"

struct reach {
	unsigned sessions, confirmed; /* of those who are in the channel */
};

static void
count_sessions(const struct doctor *d, const struct app_log *l, uint64_t pos,
    struct reach *out)
{
	const struct resumes *all = &d->br->replay->sessions;
	uint64_t hash = app_log_hash(l, d->channel);
	const struct resume_session *s;
	uint32_t i = 0;

	while ((s = resumes_next(all, &i)) != NULL) {
		const struct session_row *row = resumes_row(all, s);
		const struct resume_channel *c;

		if (!s->attached || row->app != d->a->app.num)
			continue;
		c = resume_channel_find(&s->channels, hash);
		if (c == NULL || !c->now)
			continue;
		out->sessions++;
		out->confirmed += row->acked >= pos;
	}
}

/* How many of the subscribers have the channel's last event; false: none. */
static bool
put_last(struct doctor *d, struct buf **b, unsigned subscribers)
{
	const struct app_log *l =
	    app_logs_find(&d->br->replay->logs, d->a->app.num);
	struct ring_record r;
	struct reach n = { 0 };

	if (l == NULL || !app_log_newest(l, d->channel, &r))
		return false;
	count_sessions(d, l, r.pos, &n);
	buf_append(b, S("The last event came "));
	doctor_put_age(d, b, r.time_us / 1000);
	buf_printf(b,
	    "; %u of %u subscribers can confirm what they got, and %u "
	    "confirmed it.",
	    n.sessions, subscribers, n.confirmed);
	return true;
}

void
doctor_arrived(struct doctor *d)
{
	const struct channel *c =
	    registry_find(d->br->registry, d->a->app.num, d->channel);
	uint64_t hour = history_published(d->br, d->a, 60);
	struct doctor_finding *f;

	if (c == NULL || c->total == 0)
		return;
	f = doctor_add(d, "arrives", 30);
	buf_printf(&f->text,
	    "%.*s has %u subscriber%s, and events published there reach "
	    "%s: if the page shows nothing, look at the event's name and its "
	    "socket_id.",
	    STR_ARG(d->channel), c->total, c->total == 1 ? "" : "s",
	    c->total == 1 ? "it" : "them");
	if (!put_last(d, &f->seen, c->total)) {
		buf_printf(&f->seen,
		    "Subscribers now: %u.  %s  Events of the app in the last "
		    "hour, on all channels: %llu.",
		    c->total,
		    d->a->app.resume ? "The app's log has no event of it."
				     : "Without resume=on nobody confirms.",
		    (unsigned long long)hour);
		if (hour == 0)
			buf_append(&f->mend,
			    S("The application publishes nothing: look at its "
			      "log, and in Laravel at queue:work and "
			      "BROADCAST_CONNECTION.  "));
	}
	buf_printf(&f->mend,
	    "pusherctl tail %s '%.*s' shows the names on the wire.  Laravel "
	    "sends App\\Events\\X, and Echo's listen('X') adds App\\Events; "
	    "with broadcastAs() 'x' it has to be listen('.x').  An event with "
	    "a socket_id does not go to that connection: Laravel's toOthers() "
	    "leaves out the page that caused it.",
	    d->a->app.id, STR_ARG(d->channel));
}
