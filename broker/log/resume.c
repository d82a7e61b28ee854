/* SPDX-License-Identifier: MIT */
/*
 * resume.c: resumable sessions.  Owns struct resume_session and the rows of the
 * table, except `acked`, which the worker stores.  A channel's `from` is the
 * number up to which the client certainly has it.  While the channel is
 * subscribed, a confirmation of `at` or a later number raises it; this is
 * evaluated when the connection ends or is taken over, because it is not needed
 * before.
 *
 * The channels themselves are in this process only.  After its death the
 * workers report those of living connections again; the other sessions count as
 * having been in all channels that they have not left.  Must never give away a
 * session with a connection for lack of room.
 */

#include "broker/log/resume.h"

#include <stdlib.h>
#include <string.h>

#include "shared/base/base.h"
#include "shared/base/xmalloc.h"
#include "shared/proc/proc.h"

#define OLD_SECONDS 120 /* above it, unsubscribed channels are dropped */

/* A session without a connection. */
struct resume_away {
	struct hash_node node; /* in resumes.away */
	struct resume_room_entry room;
};

struct session_row *
resumes_row(const struct resumes *s, const struct resume_session *r)
{
	return &s->table->rows[r - s->v];
}

void
resumes_book(struct resumes *s, struct resume_session *r)
{
	resume_memory_book(
	    &s->memory, resumes_row(s, r)->app, &r->channels, &r->booked);
}

static struct resume_session *
of_row(const struct resumes *s, const struct session_row *row)
{
	return row == NULL ? NULL : &s->v[row - s->table->rows];
}

struct resume_session *
resumes_of(const struct resumes *s, uint64_t sid)
{
	return of_row(s, resume_index_sid(&s->by_sid, s->table, sid));
}

struct resume_session *
resumes_find(const struct resumes *s, uint32_t app, struct str id)
{
	return of_row(s, resume_index_id(&s->by_id, s->table, app, id));
}

struct resume_session *
resumes_next(const struct resumes *s, uint32_t *i)
{
	while (s->table != NULL && *i < s->table->used)
		if (s->table->rows[(*i)++].state != SESSION_FREE)
			return &s->v[*i - 1];
	return NULL;
}

/* ---- states ---- */

static void
come_back(struct resumes *s, struct resume_session *r)
{
	struct hash_node *n = hash_find_u64(&s->away, (uint64_t)(r - s->v));
	struct resume_away *a = container_of(n, struct resume_away, node);

	hash_remove(&s->away, n);
	resume_room_leave(&s->room, &a->room);
	s->ndetached--;
	free(a);
}

static void
go_away(struct resumes *s, struct resume_session *r)
{
	const struct session_row *row = resumes_row(s, r);
	struct resume_away *a = xcalloc(1, sizeof(*a));

	a->room.row = (uint32_t)(r - s->v);
	hash_insert(&s->away, &a->node, hash_u64(a->room.row));
	resume_room_enter(&s->room, &a->room, row->app, row->peer);
	s->ndetached++;
}

static void
set_state(struct resumes *s, struct resume_session *r, uint8_t state)
{
	struct session_row *row = resumes_row(s, r);

	if (row->state == SESSION_DETACHED)
		come_back(s, r);
	else if (row->state == SESSION_LIVE)
		resume_room_detach(&s->room, row->app);
	row->since = session_now();
	__atomic_store_n(&row->state, state, __ATOMIC_RELEASE);
	if (state == SESSION_DETACHED)
		go_away(s, r);
	else if (state == SESSION_LIVE)
		resume_room_attach(&s->room, row->app);
}

static void
detach(struct resumes *s, struct resume_session *r)
{
	if (r->attached)
		resume_index_remove(&s->by_sid, s->table, (uint32_t)(r - s->v));
	r->attached = false;
}

/* The free rows form a list by since: each has the next one, plus 1. */
static void
put_free(struct resumes *s, uint32_t row)
{
	s->table->rows[row].since = s->free;
	s->free = row + 1;
}

static void
release(struct resumes *s, struct resume_session *r)
{
	uint32_t row = (uint32_t)(r - s->v);

	detach(s, r);
	set_state(s, r, SESSION_FREE);
	resume_index_remove(&s->by_id, s->table, row);
	put_free(s, row);
	resume_channels_clear(&r->channels);
	resumes_book(s, r);
}

/* Of everything it had there is nothing to continue. */
static void
lose(struct resume_session *r, enum resume_reason why)
{
	r->lost = why;
	resume_channels_lose(&r->channels);
}

static void
bury(struct resumes *s, struct resume_session *r, enum session_end why)
{
	session_table_bury(s->table, resumes_row(s, r), why);
	release(s, r);
}

/* ---- the table ---- */

static struct resume_session *
make(struct resumes *s, uint32_t row)
{
	s->v[row] = (struct resume_session){ 0 };
	resume_index_insert(&s->by_id, s->table, row);
	return &s->v[row];
}

static void
recall(struct resumes *s, uint32_t i)
{
	struct session_row *row = &s->table->rows[i];
	struct resume_session *r;
	uint32_t since = row->since;
	uint8_t state = row->state;

	if (state == SESSION_FREE || state > SESSION_DETACHED ||
	    !session_id_len_is_valid(row->id_len)) {
		row->state = SESSION_FREE;
		put_free(s, i);
		return;
	}
	r = make(s, i);
	r->used = r->recalled = true;
	resume_channels_add_rest(&r->channels, row->acked);
	if (row->acked == 0)
		r->lost = RESUME_UNCONFIRMED;
	if (state == SESSION_LIVE && session_now() > since + OLD_SECONDS)
		row->uncounted = false; /* see forget_old() */
	/* It is unknown which channels the client has up to acked. */
	if (row->out > 0 || row->uncounted || row->acked < row->replayed)
		lose(r, RESUME_RESTARTED);
	row->state = SESSION_FREE; /* counted by set_state() */
	/* A living connection gets it back when its worker reports it. */
	set_state(s, r, state == SESSION_LIVE ? SESSION_DETACHED : state);
	if (state != SESSION_LIVE)
		row->since = since;
}

void
resumes_init(struct resumes *s)
{
	s->by_id.hash = resume_index_hash_id;
	s->by_sid.hash = resume_index_hash_sid;
}

void
resumes_recall(struct resumes *s, struct session_table *table)
{
	s->table = table;
	if (table != NULL) {
		s->v = xcalloc(table->cap, sizeof(s->v[0]));
		s->room.cap = table->cap;
	}
	for (uint32_t i = 0; table != NULL && i < table->used; i++)
		recall(s, i);
}

void
resumes_clear(struct resumes *s)
{
	struct resume_session *r;
	uint32_t i = 0;

	/* The rows stay unchanged for the next broker. */
	while ((r = resumes_next(s, &i)) != NULL) {
		if (s->table->rows[i - 1].state == SESSION_DETACHED)
			come_back(s, r);
		resume_channels_clear(&r->channels);
	}
	free(s->v);
	resume_index_clear(&s->by_id);
	resume_index_clear(&s->by_sid);
	hash_clear(&s->away);
	resume_room_clear(&s->room);
	resume_memory_clear(&s->memory);
}

/* A free row, or the row of a session without a connection. */
static bool
find_row(struct resumes *s, uint32_t *row)
{
	struct resume_room_entry *oldest;

	if (s->free == 0 && s->table->used < s->table->cap) {
		*row = s->table->used++;
		return true;
	}
	if (s->free == 0) {
		oldest = resume_room_last(&s->room);
		if (oldest == NULL)
			return false;
		bury(s, &s->v[oldest->row], SESSION_EVICTED);
	}
	*row = s->free - 1;
	s->free = s->table->rows[*row].since;
	return true;
}

static struct resume_session *
add(struct resumes *s, const struct resume_hello *h)
{
	enum session_end end = session_table_buried(s->table, h->app, h->id);
	struct resume_session *r;
	struct session_row *t;
	struct session_id id;
	uint32_t row;

	if (!find_row(s, &row))
		return NULL;
	t = &s->table->rows[row];
	*t = (struct session_row){
		.app = h->app, .peer = h->peer, .epoch = session_epoch(h->epoch)
	};
	id = session_id_pack(h->id);
	session_row_set_id(s->table, t, &id);
	r = make(s, row);
	if (end != SESSION_UNKNOWN) {
		resume_channels_add_rest(&r->channels, 0);
		r->lost =
		    end == SESSION_EXPIRED ? RESUME_EXPIRED : RESUME_EVICTED;
	}
	t->uncounted =
	    r->channels.has_rest || session_table_lost_lately(s->table);
	return r;
}

/* ---- connections come and go ---- */

/*
 * The previous connection is over: stores up to where the client has each
 * channel.  This cannot be done when the session is detached, because the
 * worker may still store a late confirmation.
 */
static void
settle(struct resumes *s, struct resume_session *r)
{
	uint64_t acked =
	    __atomic_load_n(&resumes_row(s, r)->acked, __ATOMIC_ACQUIRE);
	bool known = resume_channels_settle(&r->channels, acked);
	bool rest = resume_channels_rest(&r->channels) != 0;

	/* Its last connection was an earlier broker's and may have gone on. */
	if (r->recalled && rest)
		resume_channels_add_rest(&r->channels, acked);
	/* A replay from an old number would send many events twice. */
	if (acked == 0 && (known || rest))
		lose(r, RESUME_UNCONFIRMED);
	if (!r->over)
		return;
	r->over = false;
	resume_channels_add_rest(&r->channels, 0);
	r->lost = RESUME_TOO_MANY;
}

/* Channels that the last connection could have entered again, and did not. */
static void
forget_old(struct session_row *row, struct resume_session *r, double now)
{
	if (!r->used || (uint32_t)now - r->attached_at < OLD_SECONDS)
		return;
	resume_channels_drop_unused(&r->channels);
	row->uncounted = r->over;
	row->channels = r->channels.n;
	row->out = 0;
}

/* Another log has other numbers, and other hashes of the channels. */
static void
begin_other_log(
    struct session_row *row, struct resume_session *r, uint64_t epoch)
{
	row->epoch = session_epoch(epoch);
	row->acked = 0;
	row->channels = row->out = 0;
	row->uncounted = true;
	row->replayed = 0;
	resume_channels_clear(&r->channels);
	resume_channels_add_rest(&r->channels, 0);
	r->other_log = true;
	lose(r, RESUME_RESTARTED);
}

static void
give(struct resumes *s, struct resume_session *r, const struct resume_hello *h)
{
	struct session_row *row = resumes_row(s, r);
	bool recalled = r->recalled;

	if (row->sid != h->sid && row->sid != 0)
		session_row_keep_sid(s->table, row, r->used);
	__atomic_store_n(&row->sid, h->sid, __ATOMIC_RELEASE);
	row->slot = (uint16_t)h->slot;
	set_state(s, r, SESSION_LIVE);
	r->attached = true;
	r->recalled = r->used = false;
	resume_index_insert(&s->by_sid, s->table, (uint32_t)(r - s->v));
	r->attached_at = (uint32_t)h->now;
	if (!h->replay) {
		row->entered = 0;
	} else if (recalled && row->entered && row->out == 0 &&
	    !row->uncounted) {
		r->channels.has_rest = false; /* all are reported */
		row->channels = 0;
	}
}

void
resumes_part(struct resumes *s, struct resume_session *r, double now)
{
	if (r->attached) {
		forget_old(resumes_row(s, r), r, now);
		detach(s, r);
	}
	settle(s, r);
	resumes_book(s, r);
}

struct resume_session *
resumes_bring(struct resumes *s, const struct resume_hello *h)
{
	struct resume_session *r = add(s, h);

	if (r == NULL)
		return NULL;
	resume_channels_clear(&r->channels);
	r->lost = RESUME_NO_REASON;
	r->used = true;
	set_state(s, r, SESSION_DETACHED);
	return r;
}

void
resumes_give_up(struct resumes *s, struct resume_session *r)
{
	bury(s, r, SESSION_EXPIRED);
}

/* Is there room for one more client with a session? */
static bool
may_attach(const struct resumes *s, const struct resume_session *r,
    const struct resume_hello *h)
{
	return h->replay || (r != NULL && r->attached) ||
	    resume_room_is_open(&s->room, h->app, h->shared);
}

struct resume_session *
resumes_attach(struct resumes *s, const struct resume_hello *h)
{
	struct resume_session *r;
	struct session_row *row;

	if (s->table == NULL || resumes_of(s, h->sid) != NULL)
		return NULL;
	r = resumes_find(s, h->app, h->id);
	if (h->replay && (r == NULL || resumes_row(s, r)->sid != h->sid))
		return NULL; /* another connection has taken it */
	if (!may_attach(s, r, h)) {
		/* Its client gets events that would be sent again later. */
		if (r != NULL)
			bury(s, r, SESSION_EVICTED);
		return NULL;
	}
	if (r == NULL && (r = add(s, h)) == NULL)
		return NULL;
	row = resumes_row(s, r);
	resumes_part(s, r, h->now);
	r->other_log = false;
	if (row->epoch != session_epoch(h->epoch))
		begin_other_log(row, r, h->epoch);
	resumes_book(s, r);
	give(s, r, h);
	return r;
}

void
resumes_elsewhere(struct resumes *s, const struct resume_hello *h)
{
	struct resume_session *r;

	if (s->table == NULL)
		return;
	r = resumes_find(s, h->app, h->id);
	if (r == NULL && (s->free != 0 || s->table->used < s->table->cap))
		r = add(s, h);
	if (r != NULL)
		resumes_give_up(s, r);
}

void
resumes_detach(struct resumes *s, struct resume_session *r, double now)
{
	if (!r->attached)
		return;
	if (!r->used && !r->channels.has_rest && r->channels.n == 0) {
		release(s, r); /* nothing can be continued */
		return;
	}
	forget_old(resumes_row(s, r), r, now);
	resumes_book(s, r);
	detach(s, r);
	set_state(s, r, SESSION_DETACHED);
}

void
resumes_forget_app(struct resumes *s, uint32_t app)
{
	struct resume_session *r;
	uint32_t i = 0;

	while ((r = resumes_next(s, &i)) != NULL)
		if (resumes_row(s, r)->app == app)
			release(s, r);
}
