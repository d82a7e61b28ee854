/* SPDX-License-Identifier: MIT */
/*
 * resume_memory.c: the memory of the channels of sessions.  Sessions without a
 * client keep theirs for resume_time, and anyone can leave some: all together
 * have a part of what the broker may hold for apps, and one app at most half of
 * what the others leave of it, so that neither other apps nor new channels wait
 * for them.  One channel needs no memory and always has room.
 */

#include "broker/log/resume_memory.h"

#include <stddef.h>

#define PART 4 /* of what the broker may hold for apps */

static size_t
cost(uint8_t bits)
{
	return bits == 0
	    ? 0
	    : (sizeof(struct resume_channel) << bits) + BUDGET_BLOCK;
}

void
resume_memory_book(struct resume_memory *m, uint32_t app,
    const struct resume_channels *s, uint8_t *booked)
{
	size_t now = cost(s->bits), was = cost(*booked);

	if (now == was)
		return;
	shares_add_app(&m->apps, app, now);
	shares_sub_app(&m->apps, app, was);
	budget_add(m->budget, app, now);
	budget_sub(m->budget, app, was);
	*booked = s->bits;
}

bool
resume_memory_has_room(const struct resume_memory *m, uint32_t app,
    const struct resume_channels *s)
{
	uint64_t max = m->budget == NULL ? 0 : budget_max(m->budget) / PART;

	return s->n == 0 ||
	    (s->n < RESUME_CHANNELS_MAX &&
		(max == 0 || shares_may_add(&m->apps, app, 0, max)));
}

void
resume_memory_clear(struct resume_memory *m)
{
	shares_clear(&m->apps);
}
