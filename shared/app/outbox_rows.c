/* SPDX-License-Identifier: MIT */
/*
 * outbox_rows.c: the rows of the outbox, with prepared statements for frequent
 * operations.  Maintains the counts of the open file without queries.  SQL is
 * constant text; values from outside are bound.
 */

#include "shared/app/outbox_db.h"

#include "shared/base/base.h"

static const char *const sql[OUTBOX_STMTS] = {
	[OUTBOX_PUT] =
	    "INSERT INTO requests (endpoint, app, kind, queue, count,"
	    " state, attempts, status, time_ms, next_ms, until_ms,"
	    " changed_ms, bytes, channel, answer, events, owner)"
	    " VALUES (?, ?, ?, ?, ?, 0, 0, 0, ?, ?, ?, ?, ?, ?, '',"
	    " ?, ?)",
	[OUTBOX_EXTEND] = "UPDATE requests SET count = ?2, events = ?3,"
			  " bytes = ?4 WHERE id = ?1",
	[OUTBOX_SET_DONE] =
	    "UPDATE requests SET state = 2, attempts = ?2,"
	    " status = ?3, answer = ?4, changed_ms = ?5,"
	    " bytes = 0, events = '' WHERE id = ?1 AND state = 0",
	[OUTBOX_SET_FAILED] = "UPDATE requests SET state = ?2, attempts = ?3,"
			      " status = iif(?5 = '', status, ?4),"
			      " answer = iif(?5 = '', answer, ?5),"
			      " changed_ms = ?6, next_ms = ?7, until_ms = ?8"
			      " WHERE id = ?1 AND state = 0",
	[OUTBOX_EVENTS] = "SELECT events FROM requests"
			  " WHERE id = ?1 AND state = 0",
	[OUTBOX_SET_HOOK_STATE] =
	    "INSERT OR REPLACE INTO hook_states VALUES (?1, ?2, ?3, ?4, ?5)",
	[OUTBOX_DELETE_HOOK_STATE] =
	    "DELETE FROM hook_states"
	    " WHERE app = ?1 AND channel = ?2 AND user = ?3",
	[OUTBOX_GET_SEQ] = "SELECT seq FROM origins WHERE origin = ?1",
	[OUTBOX_SET_SEQ] = "INSERT OR REPLACE INTO origins VALUES (?1, ?2, ?3)",
};

/* NULL with outbox_error(); SQLite's functions take that for a misuse. */
static sqlite3_stmt *
stmt(struct outbox *o, enum outbox_stmt which)
{
	sqlite3_stmt **s = &o->stmts[which];

	if (*s == NULL)
		sqlite3_prepare_v3(
		    o->db, sql[which], -1, SQLITE_PREPARE_PERSISTENT, s, NULL);
	return *s;
}

static void
lower(uint64_t *n, uint64_t by)
{
	*n -= MIN(*n, by); /* pusherctl may have been faster */
}

static void
bind_u64(sqlite3_stmt *s, int i, uint64_t v)
{
	sqlite3_bind_int64(s, i, (sqlite3_int64)v);
}

static void
bind_str(sqlite3_stmt *s, int i, struct str v)
{
	sqlite3_bind_text64(
	    s, i, v.n == 0 ? "" : v.p, v.n, SQLITE_STATIC, SQLITE_UTF8);
}

/* Runs a statement without a result row, inside a transaction. */
static int
finish(struct outbox *o, sqlite3_stmt *s)
{
	int r;

	if (s == NULL)
		return -1;
	r = outbox_begin(o);
	if (r == 0 && sqlite3_step(s) != SQLITE_DONE)
		r = -1;
	sqlite3_reset(s);
	sqlite3_clear_bindings(s);
	return r;
}

int
outbox_put(struct outbox *o, struct outbox_row *row)
{
	sqlite3_stmt *s = stmt(o, OUTBOX_PUT);

	bind_u64(s, 1, row->endpoint);
	bind_u64(s, 2, row->app);
	bind_u64(s, 3, row->kind);
	bind_u64(s, 4, row->queue);
	bind_u64(s, 5, row->count);
	bind_u64(s, 6, row->time_ms);
	bind_u64(s, 7, row->next_ms);
	bind_u64(s, 8, row->until_ms);
	bind_u64(s, 9, row->changed_ms);
	bind_u64(s, 10, row->events.n);
	bind_str(s, 11, row->channel);
	bind_str(s, 12, row->events);
	bind_str(s, 13, row->owner);
	if (finish(o, s) == -1)
		return -1;
	row->id = (uint64_t)sqlite3_last_insert_rowid(o->db);
	o->counts.waiting++;
	row->bytes = row->events.n;
	o->counts.bytes += row->bytes;
	return 0;
}

int
outbox_extend(struct outbox *o, struct outbox_row *row)
{
	sqlite3_stmt *s = stmt(o, OUTBOX_EXTEND);

	bind_u64(s, 1, row->id);
	bind_u64(s, 2, row->count);
	bind_str(s, 3, row->events);
	bind_u64(s, 4, row->events.n);
	if (finish(o, s) == -1)
		return -1;
	o->counts.bytes += row->events.n - row->bytes;
	row->bytes = row->events.n;
	return 0;
}

int
outbox_done(struct outbox *o, const struct outbox_row *row)
{
	sqlite3_stmt *s = stmt(o, OUTBOX_SET_DONE);

	bind_u64(s, 1, row->id);
	bind_u64(s, 2, row->attempts);
	bind_u64(s, 3, row->status);
	bind_str(s, 4, row->answer);
	bind_u64(s, 5, row->changed_ms);
	if (finish(o, s) == -1)
		return -1;
	if (sqlite3_changes(o->db) > 0) {
		lower(&o->counts.waiting, 1);
		o->counts.done++;
		lower(&o->counts.bytes, row->bytes);
	}
	return 0;
}

int
outbox_failed(struct outbox *o, const struct outbox_row *row)
{
	sqlite3_stmt *s = stmt(o, OUTBOX_SET_FAILED);

	bind_u64(s, 1, row->id);
	bind_u64(s, 2, row->state);
	bind_u64(s, 3, row->attempts);
	bind_u64(s, 4, row->status);
	bind_str(s, 5, row->answer);
	bind_u64(s, 6, row->changed_ms);
	bind_u64(s, 7, row->next_ms);
	bind_u64(s, 8, row->until_ms);
	if (finish(o, s) == -1)
		return -1;
	if (row->state == OUTBOX_DEAD && sqlite3_changes(o->db) > 0) {
		lower(&o->counts.waiting, 1);
		o->counts.dead++;
	}
	return 0;
}

static struct str
column_str(sqlite3_stmt *s, int i)
{
	const unsigned char *p = sqlite3_column_text(s, i);

	return str_make(p == NULL ? "" : (const char *)p,
	    (size_t)sqlite3_column_bytes(s, i));
}

int
outbox_events(struct outbox *o, uint64_t id, struct buf **events)
{
	sqlite3_stmt *s = stmt(o, OUTBOX_EVENTS);
	int step, r = 0;

	bind_u64(s, 1, id);
	step = sqlite3_step(s);
	if (step == SQLITE_ROW) {
		buf_append(events, column_str(s, 0));
		r = 1;
	} else if (step != SQLITE_DONE) {
		r = -1;
	}
	sqlite3_reset(s);
	return r;
}

/* ---- several rows ---- */

#define WHERE \
	" WHERE (?1 = -1 OR state = ?1) AND (?2 = 0 OR endpoint = ?2)" \
	" AND (?3 = 0 OR app = ?3) AND (?4 = 0 OR id = ?4) AND id > ?5"

static sqlite3_stmt *
prepare(struct outbox *o, const char *text, const struct outbox_query *q)
{
	sqlite3_stmt *s;

	if (sqlite3_prepare_v2(o->db, text, -1, &s, NULL) != SQLITE_OK)
		return NULL;
	sqlite3_bind_int(s, 1, q->state);
	bind_u64(s, 2, q->endpoint);
	bind_u64(s, 3, q->app);
	bind_u64(s, 4, q->id);
	bind_u64(s, 5, q->after);
	return s;
}

static void
row_read(sqlite3_stmt *s, struct outbox_row *r)
{
	int i = 0;

	r->id = (uint64_t)sqlite3_column_int64(s, i++);
	r->endpoint = (uint32_t)sqlite3_column_int64(s, i++);
	r->app = (uint32_t)sqlite3_column_int64(s, i++);
	r->kind = (uint32_t)sqlite3_column_int64(s, i++);
	r->queue = (uint32_t)sqlite3_column_int64(s, i++);
	r->count = (uint32_t)sqlite3_column_int64(s, i++);
	r->state = (uint32_t)sqlite3_column_int64(s, i++);
	r->attempts = (uint32_t)sqlite3_column_int64(s, i++);
	r->status = (uint32_t)sqlite3_column_int64(s, i++);
	r->time_ms = (uint64_t)sqlite3_column_int64(s, i++);
	r->next_ms = (uint64_t)sqlite3_column_int64(s, i++);
	r->until_ms = (uint64_t)sqlite3_column_int64(s, i++);
	r->changed_ms = (uint64_t)sqlite3_column_int64(s, i++);
	r->channel = column_str(s, i++);
	r->answer = column_str(s, i++);
	r->bytes = (size_t)sqlite3_column_int64(s, i++);
	r->owner = column_str(s, i++);
	r->events = S("");
}

int
outbox_each(
    struct outbox *o, const struct outbox_query *q, outbox_fn fn, void *arg)
{
	sqlite3_stmt *s = prepare(o,
	    "SELECT id, endpoint, app, kind, queue, count, state, attempts,"
	    " status, time_ms, next_ms, until_ms, changed_ms, channel, answer,"
	    " bytes, owner"
	    " FROM requests" WHERE " ORDER BY id",
	    q);
	struct outbox_row row;
	int step = SQLITE_ERROR;

	if (s == NULL)
		return -1;
	while ((step = sqlite3_step(s)) == SQLITE_ROW) {
		row_read(s, &row);
		if (fn(arg, &row) != 0)
			break;
	}
	sqlite3_finalize(s);
	return step == SQLITE_ROW || step == SQLITE_DONE ? 0 : -1;
}

int
outbox_delete_rows(struct outbox *o, sqlite3_stmt *s, uint64_t *ids)
{
	int n = 0, step = SQLITE_ERROR;

	if (s != NULL && outbox_begin(o) == 0)
		for (; (step = sqlite3_step(s)) == SQLITE_ROW; n++) {
			lower(outbox_counter(o, sqlite3_column_int(s, 0)), 1);
			lower(&o->counts.bytes,
			    (uint64_t)sqlite3_column_int64(s, 1));
			if (ids != NULL)
				ids[n] = (uint64_t)sqlite3_column_int64(s, 2);
		}
	sqlite3_finalize(s);
	return step == SQLITE_DONE ? n : -1;
}

int
outbox_revive(struct outbox *o, const struct outbox_query *q)
{
	sqlite3_stmt *s = prepare(o,
	    "UPDATE requests SET state = 0, attempts = 0, next_ms = 0,"
	    " until_ms = 0" WHERE " AND state = 1",
	    q);
	int n = -1;

	if (s == NULL)
		return -1;
	if (outbox_begin(o) == 0 && sqlite3_step(s) == SQLITE_DONE) {
		n = sqlite3_changes(o->db);
		lower(&o->counts.dead, (uint64_t)n);
		o->counts.waiting += (uint64_t)n;
	}
	sqlite3_finalize(s);
	return n;
}

int
outbox_postpone(struct outbox *o, uint64_t since_ms, uint64_t now_ms)
{
	sqlite3_stmt *s;

	if (sqlite3_prepare_v2(o->db,
		"UPDATE requests SET until_ms = until_ms + ?2"
		" - min(max(?1, time_ms), ?2)"
		" WHERE state = 0 AND queue <> ?3 AND until_ms > 0",
		-1, &s, NULL) != SQLITE_OK)
		return -1;
	bind_u64(s, 1, since_ms);
	bind_u64(s, 2, now_ms);
	bind_u64(s, 3, OUTBOX_TESTS);
	return outbox_delete_rows(o, s, NULL) == -1 ? -1 : 0;
}

int
outbox_delete(struct outbox *o, const struct outbox_query *q)
{
	return outbox_delete_rows(o,
	    prepare(o, "DELETE FROM requests" WHERE OUTBOX_RETURNING, q), NULL);
}

int
outbox_forget_done(struct outbox *o)
{
	static const char text[] =
	    "DELETE FROM requests WHERE state = 2 AND id <= (SELECT id"
	    " FROM requests WHERE state = 2 ORDER BY id DESC"
	    " LIMIT 1 OFFSET ?1)" OUTBOX_RETURNING;
	sqlite3_stmt *s;

	if (o->counts.done <= OUTBOX_DONE_KEPT)
		return 0;
	if (sqlite3_prepare_v2(o->db, text, -1, &s, NULL) != SQLITE_OK)
		return -1;
	bind_u64(s, 1, OUTBOX_DONE_KEPT);
	return outbox_delete_rows(o, s, NULL) == -1 ? -1 : 0;
}

int
outbox_prune(struct outbox *o, uint64_t before_ms)
{
	sqlite3_stmt *s;

	if (sqlite3_prepare_v2(o->db,
		"DELETE FROM requests WHERE state = 1 AND changed_ms < "
		"?1" OUTBOX_RETURNING,
		-1, &s, NULL) != SQLITE_OK)
		return -1;
	bind_u64(s, 1, before_ms);
	if (outbox_delete_rows(o, s, NULL) == -1)
		return -1;
	if (sqlite3_prepare_v2(o->db, "DELETE FROM origins WHERE heard_ms < ?1",
		-1, &s, NULL) != SQLITE_OK)
		return -1;
	bind_u64(s, 1, before_ms);
	return outbox_delete_rows(o, s, NULL) == -1 ? -1 : 0;
}

/* ---- states of webhooks, origins ---- */

static void
bind_hook_state(sqlite3_stmt *s, const struct outbox_hook_state *f)
{
	bind_u64(s, 1, f->app);
	bind_str(s, 2, f->channel);
	bind_str(s, 3, f->user);
}

int
outbox_set_hook_state(struct outbox *o, const struct outbox_hook_state *f)
{
	sqlite3_stmt *s = stmt(o, OUTBOX_SET_HOOK_STATE);

	bind_hook_state(s, f);
	sqlite3_bind_int(s, 4, f->missed);
	bind_str(s, 5, f->owner);
	return finish(o, s);
}

int
outbox_delete_hook_state(struct outbox *o, const struct outbox_hook_state *f)
{
	bind_hook_state(stmt(o, OUTBOX_DELETE_HOOK_STATE), f);
	return finish(o, stmt(o, OUTBOX_DELETE_HOOK_STATE));
}

int
outbox_each_hook_state(struct outbox *o,
    int (*fn)(void *arg, const struct outbox_hook_state *), void *arg)
{
	struct outbox_hook_state f;
	sqlite3_stmt *s;
	int step;

	if (sqlite3_prepare_v2(o->db,
		"SELECT app, channel, user, missed, owner FROM hook_states", -1,
		&s, NULL) != SQLITE_OK)
		return -1;
	while ((step = sqlite3_step(s)) == SQLITE_ROW) {
		f.app = (uint32_t)sqlite3_column_int64(s, 0);
		f.channel = column_str(s, 1);
		f.user = column_str(s, 2);
		f.missed = sqlite3_column_int(s, 3) != 0;
		f.owner = column_str(s, 4);
		if (fn(arg, &f) != 0)
			break;
	}
	sqlite3_finalize(s);
	return step == SQLITE_ROW || step == SQLITE_DONE ? 0 : -1;
}

int
outbox_get_seq(struct outbox *o, uint64_t origin, uint64_t *seq)
{
	sqlite3_stmt *s = stmt(o, OUTBOX_GET_SEQ);
	int step;

	*seq = 0;
	bind_u64(s, 1, origin);
	step = sqlite3_step(s);
	if (step == SQLITE_ROW)
		*seq = (uint64_t)sqlite3_column_int64(s, 0);
	sqlite3_reset(s);
	return step == SQLITE_ROW || step == SQLITE_DONE ? 0 : -1;
}

int
outbox_set_seq(struct outbox *o, uint64_t origin, uint64_t seq, uint64_t now_ms)
{
	sqlite3_stmt *s = stmt(o, OUTBOX_SET_SEQ);

	bind_u64(s, 1, origin);
	bind_u64(s, 2, seq);
	bind_u64(s, 3, now_ms);
	return finish(o, s);
}
