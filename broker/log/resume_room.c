/* SPDX-License-Identifier: MIT */
/*
 * resume_room.c: counts the sessions whose client is away by app and by client
 * address, and chooses the one that makes room when all rows are in use.  A
 * session with a connection cannot make room; it is counted by app alone.
 * There may be as many addresses as sessions: those above their part are few,
 * and listed.
 */

#include "broker/log/resume_room.h"

static uint64_t
part(const struct resume_room *room)
{
	return room->cap / RESUME_ROOM_PARTS;
}

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
	if (s->peer->held == part(room) + 1)
		room->large[room->nlarge++] = s->peer;
}

/* It has no more than its part any more. */
static void
unlist(struct resume_room *room, const struct share *peer)
{
	unsigned i = 0;

	while (room->large[i] != peer)
		i++;
	room->large[i] = room->large[--room->nlarge];
}

void
resume_room_leave(struct resume_room *room, struct resume_room_entry *s)
{
	if (s->app == NULL)
		return;
	list_remove(&s->in_app);
	list_remove(&s->of_peer);
	if (s->peer->held == part(room) + 1)
		unlist(room, s->peer);
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
resume_room_last(struct resume_room *room)
{
	const struct share *most = NULL;

	for (unsigned i = 0; i < room->nlarge; i++)
		if (most == NULL || room->large[i]->held > most->held)
			most = room->large[i];
	if (most != NULL)
		return LIST_ITEM(
		    most->entries.next, struct resume_room_entry, of_peer);
	most = shares_largest(&room->apps);
	return most == NULL
	    ? NULL
	    : LIST_ITEM(most->entries.next, struct resume_room_entry, in_app);
}

void
resume_room_clear(struct resume_room *room)
{
	shares_clear(&room->apps);
	shares_clear(&room->peers);
	shares_clear(&room->live);
	room->nlarge = 0;
}

/* ---- with a client ---- */

void
resume_room_attach(struct resume_room *room, uint32_t app)
{
	shares_add_app(&room->live, app, 1);
}

void
resume_room_detach(struct resume_room *room, uint32_t app)
{
	shares_sub_app(&room->live, app, 1);
}

uint32_t
resume_room_live(const struct resume_room *room, uint32_t app)
{
	return (uint32_t)shares_held(&room->live, app);
}

bool
resume_room_is_open(const struct resume_room *room, uint32_t app, bool shared)
{
	uint64_t left = room->cap - room->live.held;

	return left > 0 &&
	    (!shared || resume_room_live(room, app) < RESUME_ROOM_TIMES * left);
}
