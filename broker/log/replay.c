/* SPDX-License-Identifier: MIT */
/*
 * replay.c: the answer to a resumed subscription.  The broker finds the events
 * and writes the answer in one step, so that no event comes between: events
 * with a number up to the log's newest are in the answer, all others follow on
 * the link.  The answer has every missing event, or none and the status `gap`.
 */

#include "broker/log/replay.h"

#include <stdlib.h>

#include "broker/log/resume_channels.h"
#include "shared/base/base.h"
#include "shared/base/clock.h"
#include "shared/conf/conf.h"
#include "shared/pusher/frames.h"

void
replay_init(struct replay *x, const struct conf *conf)
{
	x->conf = conf;
	app_logs_init(&x->logs, conf->runtime_dir, conf->database);
	x->logs.alone = conf->cluster == NULL || *conf->cluster == '\0';
	resumes_init(&x->sessions);
}

void
replay_clear(struct replay *x)
{
	app_logs_keep(&x->logs);
	app_logs_clear(&x->logs);
	resumes_clear(&x->sessions);
}

uint64_t
replay_log(struct replay *x, const struct msg_event *m)
{
	struct app_log *l = app_logs_find(&x->logs, m->app);
	struct ring_record r = { .pos = x->logs.place,
		.origin = m->origin,
		.seq = m->seq,
		.except = m->except,
		.channel = m->channel,
		.frame = m->frame };
	uint64_t pos;

	if (l == NULL)
		return 0;
	if (x->logs.shared != 0 && x->logs.place <= ring_last(l->ring))
		return x->logs.place; /* an earlier broker has logged it */
	if (m->origin != 0 && (pos = app_log_logged(l, m->origin, m->seq)) != 0)
		return pos;
	r.time_us = clock_us(CLOCK_REALTIME);
	return app_log_append(l, &r);
}

/*
 * Sets up to where the client has the channel until it confirms pos; 0:
 * nothing.
 */
static uint64_t
from(uint64_t pos, uint32_t back)
{
	if (back == RESUME_NOTHING)
		return 0;
	return pos > back ? pos - back : 1;
}

static const char *const words[] = { "", "new", "continued", "gap" };
static const char *const reasons[] = { "", "evicted", "expired", "restarted",
	"too_many", "unconfirmed" };

/* Finds the missed events, or the reason why they cannot be sent. */
static void
find(const struct replay *x, const struct app_log *l,
    const struct resume_session *s, struct str channel, struct resume_answer *a,
    struct app_log_part *part)
{
	const struct session_row *row = resumes_row(&x->sessions, s);
	uint64_t own[SESSION_SIDS];
	struct app_log_limits limits = { .events = x->conf->resume_max_events,
		.bytes = x->conf->client_buffer / 4,
		.own = own,
		.nown = nitems(own) };
	enum app_log_result found;

	if (a->status != RESUME_CONTINUED)
		return;
	if (a->from > MAX(ring_last(l->ring), x->logs.place)) {
		/* The row is damaged. */
		a->status = RESUME_GAP;
		a->reason = RESUME_RESTARTED;
		return;
	}
	session_row_sids(x->sessions.table, row, own);
	found = app_log_since(l, channel, a->from, &limits, part);
	if (found == APP_LOG_OK)
		return;
	free(part->offs);
	*part = (struct app_log_part){ 0 };
	a->status = RESUME_GAP;
	a->reason = found == APP_LOG_EVICTED ? RESUME_EVICTED : RESUME_TOO_MANY;
}

struct resume_forecast
replay_forecast(const struct replay *x, const struct app_log *l,
    const struct resume_session *s, const struct resume_channel *c,
    struct str channel)
{
	const struct session_row *row = resumes_row(&x->sessions, s);
	struct resume_answer a = { .status = RESUME_CONTINUED,
		.from = resume_channel_has(c, row->acked) };
	struct resume_forecast f = { .word = "off" };
	struct app_log_part part = { 0 };

	if (l == NULL)
		return f;
	if (a.from == 0 || row->acked == 0 ||
	    row->epoch != session_epoch(ring_epoch(l->ring))) {
		a.status = RESUME_GAP;
		a.reason = row->epoch != session_epoch(ring_epoch(l->ring))
		    ? RESUME_RESTARTED
		    : s->lost != RESUME_NO_REASON ? s->lost
						  : RESUME_UNCONFIRMED;
	}
	find(x, l, s, channel, &a, &part);
	f.word = a.status == RESUME_GAP ? reasons[a.reason] : words[a.status];
	f.missed = part.n;
	free(part.offs);
	return f;
}

void
replay_begin(struct replay *x, struct replay_sub *r, uint32_t app, uint64_t sid,
    struct str channel, double now)
{
	const struct resume_session *s;

	*r = (struct replay_sub){ .channel = channel };
	r->log = app_logs_find(&x->logs, app);
	if (r->log == NULL)
		return;
	r->pos = ring_last(r->log->ring);
	s = resumes_of(&x->sessions, sid);
	if (s == NULL)
		return;
	r->answer =
	    resume_enter(&x->sessions, s, app_log_hash(r->log, channel), now);
	find(x, r->log, s, channel, &r->answer, &r->part);
	if (r->answer.status == RESUME_CONTINUED && r->part.n == 0)
		return;
	r->back = RESUME_NOTHING;
	if (r->answer.status == RESUME_NONE)
		return;
	/* Its own number: no confirmation from before this answer counts. */
	r->pos = app_logs_number(&x->logs, r->log);
	if (r->answer.status == RESUME_CONTINUED)
		r->back =
		    (uint32_t)MIN(r->pos - r->answer.from, RESUME_NOTHING);
}

static void
write_word(const struct replay_sub *r, struct buf **b)
{
	struct str why = { NULL, 0 };

	if (r->answer.status == RESUME_GAP)
		why = str_of(reasons[r->answer.reason]);
	frame_resume(b, r->channel, words[r->answer.status], why, r->part.n);
}

static void
count(const struct replay_sub *r)
{
	struct app_log_counts *n = &r->log->counts;

	n->news += r->answer.status == RESUME_NEW;
	n->continued += r->answer.status == RESUME_CONTINUED;
	n->replayed += r->part.n;
	if (r->answer.status != RESUME_GAP)
		return;
	n->gaps++;
	n->reasons[r->answer.reason]++;
}

void
replay_write(
    struct replay *x, struct replay_sub *r, uint64_t sid, struct buf **b)
{
	struct resume_session *s = resumes_of(&x->sessions, sid);
	struct ring_record record;

	if (s == NULL || r->log == NULL || r->answer.status == RESUME_NONE)
		return;
	for (size_t i = r->part.n; i-- > 0;)
		if (ring_read(r->log->ring, r->part.offs[i], &record))
			buf_append(b, record.frame);
	write_word(r, b);
	count(r);
	resume_entered(&x->sessions, s, app_log_hash(r->log, r->channel),
	    from(r->pos, r->back), r->pos);
	free(r->part.offs);
	r->part = (struct app_log_part){ 0 };
}

void
replay_recall(struct replay *x, uint32_t app, uint64_t sid, struct str channel,
    uint64_t pos, uint32_t back)
{
	const struct app_log *l = app_logs_find(&x->logs, app);
	struct resume_session *s = resumes_of(&x->sessions, sid);

	if (l == NULL || s == NULL || s->other_log || pos == 0 ||
	    pos > ring_last(l->ring))
		return;
	resume_entered(
	    &x->sessions, s, app_log_hash(l, channel), from(pos, back), pos);
}

void
replay_left(struct replay *x, uint32_t app, uint64_t sid, struct str channel)
{
	struct resume_session *s = resumes_of(&x->sessions, sid);
	const struct app_log *l;

	if (s == NULL || (l = app_logs_find(&x->logs, app)) == NULL)
		return;
	resume_left(&x->sessions, s, app_log_hash(l, channel));
}
