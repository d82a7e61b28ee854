/* SPDX-License-Identifier: MIT */
/*
 * resume_room.c: counts the sessions whose client is away by app and by client
 * address, and chooses the one that makes room when all rows are in use.  A
 * session with a connection is in no count, since it cannot make room.
 */

#include "broker/log/resume_room.h"

#define PEER_PART 64 /* one address may have 1 of so many rows */

static void
enter(struct shares *ss, struct share **s, uint32_t key, struct list *e)
{
	*s = shares_get(ss, key);
	shares_add(ss, *s, 1);
	list_append(&(*s)->entries, e);
}

void
resume_room_enter(struct resume_room *room, struct resume_room_entry *s,
    uint32_t app, uint32_t peer)
{
	enter(&room->apps, &s->app, app, &s->in_app);
	enter(&room->peers, &s->peer,
	    (uint32_t)hash_u64((uint64_t)app << 32 | peer), &s->of_peer);
}

void
resume_room_leave(struct resume_room *room, struct resume_room_entry *s)
{
	if (s->app == NULL)
		return;
	list_remove(&s->in_app);
	list_remove(&s->of_peer);
	shares_sub(&room->apps, s->app, 1);
	shares_sub(&room->peers, s->peer, 1);
	s->app = NULL;
}

/*
 * The session that has been away longest: of the address that has most in one
 * app, if that is more than its part, since one address alone must not push out
 * the others; else of the app that has most.
 */
struct resume_room_entry *
resume_room_last(struct resume_room *room, uint32_t cap)
{
	struct share *peer = shares_largest(&room->peers);

	if (peer == NULL)
		return NULL;
	if (peer->bytes > cap / PEER_PART)
		return LIST_ITEM(
		    peer->entries.next, struct resume_room_entry, of_peer);
	return LIST_ITEM(shares_largest(&room->apps)->entries.next,
	    struct resume_room_entry, in_app);
}

void
resume_room_clear(struct resume_room *room)
{
	shares_clear(&room->apps);
	shares_clear(&room->peers);
}
