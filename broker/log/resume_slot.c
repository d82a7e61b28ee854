/* SPDX-License-Identifier: MIT */
/*
 * resume_slot.c: the sessions whose connections are those of one worker, or of
 * all.  Owns nothing.
 */

#include "broker/log/resume.h"

void
resumes_drop(struct resumes *s, unsigned slot, double now)
{
	struct resume_session *r;
	uint32_t i = 0;

	while ((r = resumes_next(s, &i)) != NULL)
		if (resumes_row(s, r)->slot == slot)
			resumes_detach(s, r, now);
}

void
resumes_move(struct resumes *s, unsigned from, unsigned to)
{
	struct resume_session *r;
	uint32_t i = 0;

	while ((r = resumes_next(s, &i)) != NULL)
		if (resumes_row(s, r)->slot == from)
			resumes_row(s, r)->slot = (uint16_t)to;
}

bool
resumes_is_full(struct resumes *s, const struct resume_hello *h)
{
	if (s->table == NULL ||
	    resume_room_is_open(&s->room, h->app, h->shared) ||
	    (s->full_at != 0 && h->now - s->full_at < 60))
		return false;
	s->full_at = h->now;
	return true;
}
