/* SPDX-License-Identifier: MIT */
/*
 * resume_enter.c: a client with a session enters and leaves channels.  Owns
 * nothing: the channels are the session's (resume.c).  The row counts the
 * channels that are not entered again: later confirmations of the client do not
 * apply to them.
 */

#include "broker/log/resume_enter.h"

#include "broker/log/resume.h"
#include "shared/base/base.h"

#define ALL_SECONDS 30 /* in which a client subscribes again */

static uint64_t
bit_of(uint64_t hash)
{
	return UINT64_C(1) << (hash & 63);
}

/* Other channels may have the same bit. */
static bool
may_have_left(
    const struct resumes *s, const struct resume_session *r, uint64_t hash)
{
	return (session_row_left(s->table, resumes_row(s, r)) & bit_of(hash)) !=
	    0;
}

struct resume_answer
resume_enter(const struct resumes *s, const struct resume_session *r,
    uint64_t hash, double now)
{
	const struct resume_channel *c =
	    resume_channel_find(&r->channels, hash);
	struct resume_answer a = { .status = RESUME_NEW };

	if (c != NULL && c->now) /* it is there already */
		return (struct resume_answer){ .status = RESUME_NONE };
	if (c == NULL &&
	    (!r->channels.has_rest ||
		(uint32_t)now - r->attached_at > ALL_SECONDS))
		return a;
	if (c != NULL)
		a.from = resume_channel_from(c);
	else if (!may_have_left(s, r, hash))
		a.from = resume_channels_rest(&r->channels);
	a.status = a.from != 0 ? RESUME_CONTINUED : RESUME_GAP;
	if (a.status == RESUME_GAP)
		a.reason = r->lost != 0 ? r->lost
		    : c != NULL         ? RESUME_UNCONFIRMED
					: RESUME_RESTARTED;
	return a;
}

void
resume_entered(struct resumes *s, struct resume_session *r, uint64_t hash,
    uint64_t from, uint64_t at)
{
	struct resume_channel *c = resume_channel_find(&r->channels, hash);
	struct session_row *row = resumes_row(s, r);

	if (!r->used) /* until now the earlier numbers are valid */
		row->out = row->channels;
	r->used = true;
	row->entered = 1;
	if (from < at)
		row->replayed = MAX(row->replayed, at) & SESSION_REPLAYED_MAX;
	if (c == NULL &&
	    !resume_memory_has_room(&s->memory, row->app, &r->channels)) {
		r->over = row->uncounted = true;
		return;
	}
	if (row->out > 0 && (c != NULL ? !c->now : r->channels.has_rest))
		row->out--;
	else if (c == NULL)
		row->channels++;
	c = resume_channel_get(&r->channels, hash);
	resume_channel_set(c, from, at);
	c->now = true;
	resumes_book(s, r);
}

void
resume_left(struct resumes *s, struct resume_session *r, uint64_t hash)
{
	struct resume_channel *c = resume_channel_find(&r->channels, hash);
	struct session_row *row = resumes_row(s, r);

	session_row_more(s->table, row)->left |= bit_of(hash);
	if (c != NULL) {
		row->channels--;
		resume_channel_remove(&r->channels, c);
	}
}
