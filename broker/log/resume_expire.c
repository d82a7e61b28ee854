/* SPDX-License-Identifier: MIT */
/*
 * resume_expire.c: ends sessions whose clients do not come back.  Each app has
 * its own time, and a list of its own: looks at no session that stays.  Owns
 * nothing.
 */

#include "broker/log/resume.h"

#define EXPIRE_AT_ONCE 2000

/* Those of one app, the longest absence first. */
static void
expire_app(struct resumes *s, uint32_t app, uint32_t seconds, unsigned *left)
{
	uint64_t now = session_now();
	const struct share *away;
	uint32_t row;

	for (; *left > 0; --*left) {
		away = shares_find(&s->room.apps, app);
		if (away == NULL)
			return; /* that was the last one */
		row = LIST_ITEM(
		    away->entries.next, struct resume_room_entry, in_app)
			  ->row;
		if (s->table->rows[row].since + (uint64_t)seconds >= now)
			return; /* the next ones were detached later */
		resumes_give_up(s, &s->v[row]);
	}
}

void
resumes_expire(
    struct resumes *s, uint32_t (*seconds)(void *arg, uint32_t app), void *arg)
{
	unsigned left = EXPIRE_AT_ONCE;
	struct hash_node *n, *next;

	HASH_FOREACH_SAFE(n, next, &s->room.apps.by_app) {
		uint32_t app = container_of(n, struct share, node)->app;

		expire_app(s, app, seconds(arg, app), &left);
	}
}
