/* SPDX-License-Identifier: MIT */
#ifndef BROKER_LOG_RESUME_ROOM_H
#define BROKER_LOG_RESUME_ROOM_H

/*
 * Which apps and addresses have the sessions whose client is away: only these
 * can make room in the table of sessions.  And how many each app has whose
 * client is there: no app may have nearly all of them.
 */

#include <stdbool.h>
#include <stdint.h>

#include "shared/base/list.h"
#include "shared/base/shares.h"

#define RESUME_ROOM_PARTS 64 /* one address may have 1 of so many rows */
#define RESUME_ROOM_TIMES 3  /* so many times as many as are free */

struct resume_room {
	uint32_t cap; /* rows of the table */
	struct shares apps, peers;
	struct share *large[RESUME_ROOM_PARTS]; /* peers above their part */
	unsigned nlarge;
	struct shares live; /* by app, with a client */
};

/* A session's part in it; app NULL: it is in no count. */
struct resume_room_entry {
	struct list in_app, of_peer;
	struct share *app, *peer;
	uint32_t row; /* of the table */
};

/* Its client is away; it is back, or the session ends. */
void resume_room_enter(struct resume_room *, struct resume_room_entry *,
    uint32_t app, uint32_t peer);
void resume_room_leave(struct resume_room *, struct resume_room_entry *);
/* No row is free: the session to remove; NULL: none is away. */
struct resume_room_entry *resume_room_last(struct resume_room *);
void resume_room_clear(struct resume_room *);

/* A session of this app gets its client, or loses it. */
void resume_room_attach(struct resume_room *, uint32_t app);
void resume_room_detach(struct resume_room *, uint32_t app);
/* So many sessions of this app have a client. */
uint32_t resume_room_live(const struct resume_room *, uint32_t app);
/*
 * Is a row left for another client of this app?  shared: several apps have
 * sessions.  Then one may have three times as many as have no client, so that
 * there is always a row for another app.
 */
bool resume_room_is_open(const struct resume_room *, uint32_t app, bool shared);

#endif
