/* SPDX-License-Identifier: MIT */
/*
 * resume.c: resumable sessions.  Owns struct resume_session and the rows of
 * the table, apart from `acked`, which the worker stores.
 *
 * A channel's `from` is what the client certainly has.  While it is subscribed
 * a confirmation of everything up to `at` or more says more; that is taken
 * into account when the connection ends or is taken over, because only then
 * somebody asks.
 *
 * The channels themselves are in this process only.  After its death those of
 * living connections are said again; the others count as having been in all.
 *
 * Must never give a live session away for want of room.
 */

#include "broker/log/resume.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "broker/log/resume_channels.h"
#include "shared/base/base.h"
#include "shared/base/xmalloc.h"

#define GONE_MS (24u * 3600 * 1000) /* for which "too late" is known */
#define OLD_SECONDS 120.            /* then what is not subscribed is left */
#define EXPIRE_AT_ONCE 2000

struct id_key {
	const struct resumes *s;
	uint32_t app;
	struct str id;
};

static uint64_t
wall_ms(void)
{
	return proc_clock_us(CLOCK_REALTIME) / 1000;
}

struct session_row *
resumes_row(const struct resumes *s, const struct resume_session *r)
{
	return &s->table->rows[r->row];
}

static bool
id_eq(const struct hash_node *n, const void *key)
{
	const struct id_key *k = key;
	const struct session_row *row = resumes_row(
	    k->s, container_of(n, const struct resume_session, by_id));

	return row->app == k->app &&
	    str_eq(str_make(row->id, row->id_len), k->id);
}

static bool
sid_eq(const struct hash_node *n, const void *key)
{
	return container_of(n, const struct resume_session, by_sid)->sid ==
	    *(const uint64_t *)key;
}

struct resume_session *
resumes_of(const struct resumes *s, uint64_t sid)
{
	struct hash_node *n;

	if (s->by_sid.n == 0)
		return NULL;
	n = hash_find(&s->by_sid, hash_u64(sid), sid_eq, &sid);
	return n == NULL ? NULL
			 : container_of(n, struct resume_session, by_sid);
}

struct resume_session *
resumes_find(const struct resumes *s, uint32_t app, struct str id)
{
	struct id_key k = { s, app, id };
	struct hash_node *n =
	    hash_find(&s->by_id, hash_str(id, app), id_eq, &k);

	return n == NULL ? NULL : container_of(n, struct resume_session, by_id);
}

/* ---- states ---- */

static uint32_t *
count_of(struct resumes *s, uint32_t state)
{
	return state == SESSION_LIVE    ? &s->nlive
	    : state == SESSION_DETACHED ? &s->ndetached
					: &s->ngone;
}

static void
set_state(struct resumes *s, struct resume_session *r, uint32_t state)
{
	struct session_row *row = resumes_row(s, r);

	list_remove(&r->in_order);
	list_remove(&r->in_app);
	if (row->state != SESSION_FREE)
		--*count_of(s, row->state);
	row->since_ms = wall_ms();
	__atomic_store_n(&row->state, state, __ATOMIC_RELEASE);
	if (state == SESSION_FREE)
		return;
	++*count_of(s, state);
	if (state == SESSION_LIVE)
		list_append(&s->slots[row->slot], &r->in_order);
	else if (state == SESSION_DETACHED)
		list_append(&s->detached, &r->in_order);
	else
		list_append(&s->gone, &r->in_order);
	if (state != SESSION_LIVE)
		list_append(&r->share->entries, &r->in_app);
}

static void
detach(struct resumes *s, struct resume_session *r)
{
	if (r->sid == 0)
		return;
	hash_remove(&s->by_sid, &r->by_sid);
	r->sid = 0;
}

/* The free rows are a list by since_ms: each has the next one, plus 1. */
static void
put_free(struct resumes *s, uint32_t row)
{
	s->table->rows[row].since_ms = s->free;
	s->free = row + 1;
}

static void
release(struct resumes *s, struct resume_session *r)
{
	detach(s, r);
	set_state(s, r, SESSION_FREE);
	put_free(s, r->row);
	shares_sub(&s->shares, r->share, 1);
	hash_remove(&s->by_id, &r->by_id);
	resume_channels_clear(&r->channels);
	free(r);
}

/* Of everything it had there is nothing to continue. */
static void
lose(struct resume_session *r, enum resume_reason why)
{
	r->lost = why;
	r->all_from = 0;
	resume_channels_lose(&r->channels);
}

/* A detached session has waited for too long. */
static void
tombstone(struct resumes *s, struct resume_session *r)
{
	resume_channels_clear(&r->channels);
	r->all = true;
	lose(r, RESUME_EXPIRED);
	set_state(s, r, SESSION_GONE);
}

/* ---- the table ---- */

static struct resume_session *
make(struct resumes *s, uint32_t row)
{
	struct resume_session *r = xcalloc(1, sizeof(*r));
	const struct session_row *t = &s->table->rows[row];

	r->row = row;
	list_init(&r->in_order);
	list_init(&r->in_app);
	r->share = shares_get(&s->shares, t->app);
	shares_add(&s->shares, r->share, 1);
	hash_insert(
	    &s->by_id, &r->by_id, hash_str(str_make(t->id, t->id_len), t->app));
	return r;
}

static void
recall(struct resumes *s, uint32_t i)
{
	struct session_row *row = &s->table->rows[i];
	uint64_t since = row->since_ms;
	struct resume_session *r;
	uint32_t state = row->state;

	if (state == SESSION_FREE || state > SESSION_GONE ||
	    row->id_len > SESSION_ID_MAX || row->slot >= PROC_MAX_WORKERS) {
		row->state = SESSION_FREE;
		put_free(s, i);
		return;
	}
	r = make(s, i);
	r->all = r->used = true;
	r->all_from = row->acked;
	if (row->acked == 0)
		r->lost = RESUME_UNCONFIRMED;
	if (row->out > 0) /* it is unknown which ones */
		lose(r, RESUME_RESTARTED);
	if (state == SESSION_GONE)
		lose(r, RESUME_EXPIRED);
	row->state = SESSION_FREE; /* counted by set_state() */
	/* A living one has its connection again when the worker says so. */
	set_state(s, r, state == SESSION_LIVE ? SESSION_DETACHED : state);
	if (state != SESSION_LIVE)
		row->since_ms = since;
}

void
resumes_init(struct resumes *s)
{
	list_init(&s->detached);
	list_init(&s->gone);
	for (unsigned i = 0; i < nitems(s->slots); i++)
		list_init(&s->slots[i]);
}

void
resumes_recall(struct resumes *s, struct session_table *table)
{
	s->table = table;
	for (uint32_t i = 0; table != NULL && i < table->used; i++)
		recall(s, i);
}

void
resumes_clear(struct resumes *s)
{
	struct hash_node *n, *next;

	for (n = hash_first(&s->by_id); n != NULL; n = next) {
		struct resume_session *r =
		    container_of(n, struct resume_session, by_id);

		/* The rows stay as they are: for the next broker. */
		next = hash_next(&s->by_id, n);
		detach(s, r);
		hash_remove(&s->by_id, n);
		resume_channels_clear(&r->channels);
		free(r);
	}
	hash_clear(&s->by_id);
	hash_clear(&s->by_sid);
	shares_clear(&s->shares);
}

static struct resume_session *
oldest(struct list *l)
{
	return LIST_ITEM(l->next, struct resume_session, in_order);
}

/* Of the app that has most rows the session that is away for longest. */
static void
evict(struct resumes *s)
{
	struct share *most = shares_largest(&s->shares);
	struct resume_session *r = NULL;

	if (most != NULL && !list_is_empty(&most->entries))
		r = LIST_ITEM(
		    most->entries.next, struct resume_session, in_app);
	else if (!list_is_empty(&s->gone))
		r = oldest(&s->gone);
	else if (!list_is_empty(&s->detached))
		r = oldest(&s->detached);
	if (r != NULL)
		release(s, r);
}

/* A row that is free, or that of a session without a connection. */
static bool
find_row(struct resumes *s, uint32_t *row)
{
	if (s->free == 0 && s->table->used < s->table->cap) {
		*row = s->table->used++;
		return true;
	}
	if (s->free == 0)
		evict(s);
	if (s->free == 0)
		return false;
	*row = s->free - 1;
	s->free = (uint32_t)s->table->rows[*row].since_ms;
	return true;
}

static struct resume_session *
add(struct resumes *s, const struct resume_hello *h)
{
	struct session_row *t;
	uint32_t row;

	if (!find_row(s, &row))
		return NULL;
	t = &s->table->rows[row];
	*t = (struct session_row){
		.app = h->app, .id_len = (uint16_t)h->id.n, .epoch = h->epoch
	};
	memcpy(t->id, h->id.p, h->id.n);
	return make(s, row);
}

/* ---- connections come and go ---- */

/*
 * The previous connection is over: notes up to where the client has each
 * channel.  This cannot be done when the session is detached, because the
 * worker may still store a late confirmation.
 */
static void
settle(struct resumes *s, struct resume_session *r)
{
	uint64_t acked =
	    __atomic_load_n(&resumes_row(s, r)->acked, __ATOMIC_ACQUIRE);
	bool known = resume_channels_settle(&r->channels, acked);

	/* A replay from an old number would be a flood of doubles. */
	if (acked == 0 && (known || r->all_from != 0))
		lose(r, RESUME_UNCONFIRMED);
	if (!r->over)
		return;
	r->over = false;
	r->all = true;
	r->all_from = 0;
	r->lost = RESUME_TOO_MANY;
}

/* Channels that the last connection could have had again, and did not. */
static void
forget_old(struct session_row *row, struct resume_session *r, double now)
{
	if (!r->used || now - r->attached_at < OLD_SECONDS)
		return;
	resume_channels_drop_unused(&r->channels);
	r->all = false;
	row->channels = (uint16_t)r->channels.n;
	row->out = 0;
}

/* Another log has other numbers, and other hashes of the channels. */
static void
begin_anew(struct session_row *row, struct resume_session *r, uint64_t epoch)
{
	row->epoch = epoch;
	row->acked = 0;
	row->channels = row->out = 0;
	resume_channels_clear(&r->channels);
	r->all = r->anew = true;
	if (r->lost != RESUME_EXPIRED)
		lose(r, RESUME_RESTARTED);
}

static void
give(struct resumes *s, struct resume_session *r, const struct resume_hello *h)
{
	struct session_row *row = resumes_row(s, r);

	if (row->sids[0] != h->sid) {
		/* A line that breaks and breaks must not push out the others.
		 */
		if (r->used)
			memmove(&row->sids[1], &row->sids[0],
			    (SESSION_SIDS - 1) * sizeof(row->sids[0]));
		__atomic_store_n(&row->sids[0], h->sid, __ATOMIC_RELEASE);
	}
	row->slot = (uint16_t)h->slot;
	set_state(s, r, SESSION_LIVE);
	r->sid = h->sid;
	hash_insert(&s->by_sid, &r->by_sid, hash_u64(h->sid));
	r->attached_at = h->now;
	r->used = false;
	if (h->replay && row->out == 0 && !r->anew) {
		r->all = false; /* those that are said now are all of them */
		row->channels = 0;
	}
	row->out = row->channels;
}

struct resume_session *
resumes_attach(struct resumes *s, const struct resume_hello *h)
{
	struct resume_session *r;
	struct session_row *row;

	if (s->table == NULL || resumes_of(s, h->sid) != NULL)
		return NULL;
	r = resumes_find(s, h->app, h->id);
	if (h->replay && (r == NULL || resumes_row(s, r)->sids[0] != h->sid))
		return NULL; /* another connection has taken it */
	if (r == NULL && (r = add(s, h)) == NULL)
		return NULL;
	row = resumes_row(s, r);
	if (r->sid != 0) {
		forget_old(row, r, h->now);
		detach(s, r);
	}
	settle(s, r);
	r->anew = false;
	if (row->epoch != h->epoch)
		begin_anew(row, r, h->epoch);
	give(s, r, h);
	return r;
}

bool
resumes_is_full(struct resumes *s, double now)
{
	if (s->table == NULL || s->nlive < s->table->cap ||
	    (s->full_at != 0 && now - s->full_at < 60))
		return false;
	s->full_at = now;
	return true;
}

void
resumes_detach(struct resumes *s, struct resume_session *r, double now)
{
	if (r->sid == 0)
		return;
	forget_old(resumes_row(s, r), r, now);
	detach(s, r);
	set_state(s, r, SESSION_DETACHED);
}

void
resumes_drop(struct resumes *s, unsigned slot, double now)
{
	while (!list_is_empty(&s->slots[slot]))
		resumes_detach(s, oldest(&s->slots[slot]), now);
}

void
resumes_forget_app(struct resumes *s, uint32_t app)
{
	struct hash_node *n, *next;

	for (n = hash_first(&s->by_id); n != NULL; n = next) {
		struct resume_session *r =
		    container_of(n, struct resume_session, by_id);

		next = hash_next(&s->by_id, n);
		if (resumes_row(s, r)->app == app)
			release(s, r);
	}
}

void
resumes_expire(struct resumes *s, uint32_t least,
    uint32_t (*seconds)(void *arg, uint32_t app), void *arg)
{
	uint64_t now = wall_ms();
	unsigned left = EXPIRE_AT_ONCE;
	struct list *e, *tmp;

	/* Each app has its own time. */
	LIST_FOREACH_SAFE(e, tmp, &s->detached) {
		struct resume_session *r =
		    LIST_ITEM(e, struct resume_session, in_order);
		const struct session_row *row = resumes_row(s, r);

		if (row->since_ms + least * 1000ull > now)
			break; /* the next ones were detached later */
		if (row->since_ms + seconds(arg, row->app) * 1000ull > now)
			continue;
		if (left-- == 0)
			return;
		tombstone(s, r);
	}
	while (!list_is_empty(&s->gone) && left-- > 0) {
		struct resume_session *r = oldest(&s->gone);

		if (resumes_row(s, r)->since_ms + GONE_MS > now)
			return;
		release(s, r);
	}
}
