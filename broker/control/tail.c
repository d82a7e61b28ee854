/* SPDX-License-Identifier: MIT */
/*
 * tail.c: copies of passing events for `pusherctl tail`.  Owns struct tail.  An
 * event that has no room in the client's queue is counted and dropped for this
 * client.  Must never delay an event, and never write one to the log.
 */

#include "broker/control/tail.h"

#include <stdlib.h>
#include <time.h>

#include "broker/app/apps.h"
#include "broker/channel/route.h"
#include "broker/control/control_job.h"
#include "broker/control/verb_args.h"
#include "broker/core/core.h"
#include "broker/log/replay.h"
#include "shared/base/base.h"
#include "shared/base/clock.h"
#include "shared/base/glob.h"
#include "shared/base/xmalloc.h"
#include "shared/ipc/ipc_msg.h"
#include "shared/net/ws_frame.h"

#define PORTION 1000 /* records of the log in one turn */

struct tail {
	struct control_job job;
	struct route_tap tap;
	struct tailing what;
	bool behind;     /* reads the log, at first or for want of room */
	uint64_t at;     /* its position; see ring_next() */
	uint64_t next;   /* the next record's number; 0: any */
	uint64_t missed; /* dropped events that were not reported yet */
	size_t pattern_len;
	char pattern[]; /* of the channel, with * and ?; empty: all */
};

static struct tail *
tail_of(struct control_job *job)
{
	return container_of(job, struct tail, job);
}

/* Reports dropped events; false: there is no room. */
static bool
catch_up(struct tail *t)
{
	struct json_writer w;

	if (!control_has_room(t->job.cc))
		return false;
	if (t->missed == 0)
		return true;
	verb_row_begin(&w, "missed");
	json_member_u64(&w, "missed", t->missed);
	verb_row_end(t->job.cc, &w);
	t->missed = 0;
	return true;
}

static void
tick(struct control_job *job)
{
	catch_up(tail_of(job));
}

static bool
is_of_channel(const struct tail *t, struct str channel)
{
	return t->pattern_len == 0 ||
	    glob_matches(str_make(t->pattern, t->pattern_len), channel);
}

static bool
is_wanted(const struct tail *t, const struct msg_event *m, enum route_kind kind)
{
	if (kind == ROUTE_OWN && !t->what.own)
		return false;
	if (t->what.app != 0 && t->what.app != m->app)
		return false;
	if (t->behind && (m->flags & EVENT_LOG))
		return false; /* it is in the log */
	return is_of_channel(t, m->channel);
}

static uint64_t
now_ms(void)
{
	return clock_ms(CLOCK_REALTIME);
}

/* A server frame is one JSON text after its head. */
static void
put_row(struct control_client *cc, const char *kind, const struct app *a,
    uint64_t time_ms, const struct msg_event *m)
{
	struct str frame = m->frame;
	struct ws_head h;
	ssize_t head = ws_head_read(&h, frame);
	struct json_writer w;

	if (head <= 0 || frame.n - (size_t)head < h.len)
		return;
	verb_row_begin(&w, kind);
	json_member_u64(&w, "time_ms", time_ms);
	json_member_str(&w, "app", str_of(a->id));
	json_member_str(&w, "channel", m->channel);
	if (m->pos != 0)
		json_member_u64(&w, "pos", m->pos);
	json_member_raw(&w, "frame", str_make(frame.p + head, (size_t)h.len));
	verb_row_end(cc, &w);
}

void
tail_put(
    struct control_client *cc, const struct app *a, const struct ring_record *r)
{
	const struct msg_event m = {
		.pos = r->pos, .channel = r->channel, .frame = r->frame
	};

	put_row(cc, "event", a, r->time_us / 1000, &m);
}

static void
put_event(struct tail *t, const struct msg_event *m, enum route_kind kind)
{
	static const char *const kinds[] = { [ROUTE_EVENT] = "event",
		[ROUTE_CLIENT] = "client",
		[ROUTE_OWN] = "own" };
	const struct broker_app *a = apps_find(t->job.cc->br, m->app);

	if (a != NULL)
		put_row(t->job.cc, kinds[kind], &a->app, now_ms(), m);
}

/* To compare a long pattern costs up to so many times as much. */
static size_t
look_cost(const struct tail *t)
{
	return 1 + t->pattern_len / 8;
}

/*
 * Live events wait in the log until everything before them has been written, so
 * that nothing is missing in between.
 */
static void
step(struct control_job *job)
{
	struct tail *t = tail_of(job);
	const struct broker *br = job->cc->br;
	const struct app_log *l = app_logs_find(&br->replay->logs, t->what.app);
	const struct broker_app *a = apps_find(br, t->what.app);
	struct ring_record r;

	for (size_t n = 0; n < PORTION && catch_up(t); n += look_cost(t)) {
		if (a == NULL || l == NULL || !ring_next(l->ring, &t->at, &r)) {
			t->behind = false;
			return;
		}
		if (r.pos < t->next)
			continue; /* it was written live */
		/* In a cluster the numbers do not say how many. */
		if (t->next != 0 && ring_oldest(l->ring) > t->next)
			t->missed +=
			    ring_shared(l->ring) != 0 ? 1 : r.pos - t->next;
		t->next = r.pos + 1;
		if (r.time_us / 1000 >= t->what.since_ms &&
		    is_of_channel(t, r.channel))
			tail_put(t->job.cc, &a->app, &r);
	}
}

/* Reports where the log begins, if that is later than the requested time. */
static void
say_where_it_begins(const struct tail *t)
{
	const struct app_log *l =
	    app_logs_find(&t->job.cc->br->replay->logs, t->what.app);
	struct ring_record r;
	struct json_writer w;
	uint64_t at = 0;

	if (l == NULL || ring_oldest(l->ring) == ring_first())
		return;
	if (!ring_next(l->ring, &at, &r))
		r.time_us = now_ms() * 1000;
	if (r.time_us / 1000 <= t->what.since_ms)
		return;
	verb_row_begin(&w, "begins");
	json_member_u64(&w, "begins_ms", r.time_us / 1000);
	verb_row_end(t->job.cc, &w);
}

static void
on_event(struct route_tap *tap, const struct msg_event *m, enum route_kind kind)
{
	struct tail *t = container_of(tap, struct tail, tap);

	if (!is_wanted(t, m, kind))
		return;
	if (catch_up(t)) {
		put_event(t, m, kind);
		if (t->next != 0 && m->pos != 0)
			t->next = m->pos + 1;
	} else if (t->next != 0 && m->pos != 0) {
		t->behind = true; /* the log has it, when there is room */
	} else {
		t->missed++;
	}
}

static bool
is_behind(const struct control_job *job)
{
	return container_of(job, const struct tail, job)->behind;
}

static void
tail_free(struct control_job *job)
{
	route_untap(job->cc->br, &tail_of(job)->tap);
	free(tail_of(job));
}

void
tail_begin(
    struct control_client *cc, const struct tailing *what, struct str pattern)
{
	static const struct control_job_ops ops = {
		.is_ready = is_behind,
		.step = step,
		.tick = tick,
		.free = tail_free,
		.endless = true,
	};
	struct tail *t = xcalloc(1, sizeof(*t) + pattern.n);

	t->what = *what;
	t->behind = what->since_ms != 0;
	t->pattern_len = pattern.n;
	if (pattern.n > 0)
		memcpy(t->pattern, pattern.p, pattern.n);
	t->tap.event = on_event;
	route_tap(cc->br, &t->tap);
	control_job_start(cc, &t->job, &ops);
	if (t->behind)
		say_where_it_begins(t);
}
