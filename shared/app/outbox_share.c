/* SPDX-License-Identifier: MIT */
/*
 * outbox_share.c: which endpoint holds most of the outbox and which of its rows
 * are dropped, for a full outbox; and what becomes of rows whose endpoint or
 * owner has changed.
 */

#include "shared/app/outbox_db.h"
#include "shared/pusher/webhook.h"

int
outbox_largest(struct outbox *o, bool by_bytes, struct outbox_holder *h)
{
	static const char sql[] =
	    "SELECT endpoint, count(*) AS n, sum(bytes) AS b FROM requests"
	    " WHERE state < 2 GROUP BY endpoint"
	    " ORDER BY CASE WHEN ?1 THEN b ELSE n END DESC LIMIT 1";
	sqlite3_stmt *s;
	int step;

	*h = (struct outbox_holder){ .endpoint = 0 };
	if (sqlite3_prepare_v2(o->db, sql, -1, &s, NULL) != SQLITE_OK)
		return -1;
	sqlite3_bind_int(s, 1, by_bytes);
	step = sqlite3_step(s);
	if (step == SQLITE_ROW) {
		h->endpoint = (uint32_t)sqlite3_column_int64(s, 0);
		h->rows = (uint64_t)sqlite3_column_int64(s, 1);
		h->bytes = (uint64_t)sqlite3_column_int64(s, 2);
	}
	sqlite3_finalize(s);
	return step == SQLITE_ROW || step == SQLITE_DONE ? 0 : -1;
}

int
outbox_yield(struct outbox *o, uint32_t endpoint, unsigned n, uint64_t *ids)
{
	static const char sql[] =
	    "DELETE FROM requests WHERE id IN (SELECT id FROM requests"
	    " WHERE state < 2 AND endpoint = ?1"
	    " ORDER BY state DESC, kind IN (?3, ?4) DESC, id LIMIT ?2)"
	    " RETURNING id";
	sqlite3_stmt *s;
	int step, k = 0;

	if (outbox_begin(o) == -1 ||
	    sqlite3_prepare_v2(o->db, sql, -1, &s, NULL) != SQLITE_OK)
		return -1;
	sqlite3_bind_int64(s, 1, endpoint);
	sqlite3_bind_int64(s, 2, n);
	sqlite3_bind_int(s, 3, WEBHOOK_CLIENT_EVENT);
	sqlite3_bind_int(s, 4, WEBHOOK_COUNT);
	while ((step = sqlite3_step(s)) == SQLITE_ROW)
		ids[k++] = (uint64_t)sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	return step != SQLITE_DONE || outbox_recount(o) == -1 ? -1 : k;
}

static int
run(struct outbox *o, const char *sql, uint32_t endpoint, const char *text,
    uint64_t number)
{
	sqlite3_stmt *s;
	int step;

	if (outbox_begin(o) == -1 ||
	    sqlite3_prepare_v2(o->db, sql, -1, &s, NULL) != SQLITE_OK)
		return -1;
	sqlite3_bind_int64(s, 1, endpoint);
	sqlite3_bind_text(s, 2, text, -1, SQLITE_STATIC);
	sqlite3_bind_int64(s, 3, (sqlite3_int64)number);
	step = sqlite3_step(s);
	sqlite3_finalize(s);
	return step == SQLITE_DONE ? sqlite3_changes(o->db) : -1;
}

int
outbox_disown(
    struct outbox *o, uint32_t endpoint, const char *database, uint64_t now_ms)
{
	int n = run(o,
	    "UPDATE requests SET state = 1, changed_ms = ?3,"
	    " answer = 'not sent: it belongs to another database'"
	    " WHERE endpoint = ?1 AND state = 0"
	    " AND substr(owner, 1, 32) NOT IN ('', ?2)",
	    endpoint, database, now_ms);

	if (n == -1 ||
	    run(o,
		"DELETE FROM requests WHERE endpoint = ?1"
		" AND substr(owner, 1, 32) IN ('', ?2)",
		endpoint, database, 0) == -1 ||
	    outbox_recount(o) == -1)
		return -1;
	return n;
}

/* The app is compared, too: the number may be another endpoint's by now. */
int
outbox_adopt(
    struct outbox *o, uint32_t endpoint, uint32_t app, const char *owner)
{
	return run(o,
		   "UPDATE requests SET owner = CASE WHEN app = ?3 THEN ?2"
		   " ELSE 'unknown' END WHERE endpoint = ?1 AND owner = ''",
		   endpoint, owner, app) == -1
	    ? -1
	    : 0;
}
