/* SPDX-License-Identifier: MIT */
/*
 * outbox_share.c: the rows of one endpoint.  Decides which rows a full outbox
 * drops, counts them for their endpoint, keeps the state of each endpoint, and
 * handles rows whose endpoint or owner has changed.
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

/* ---- rows that are dropped ---- */

/* Counts the rows that WHICH selects for their endpoints. */
#define COUNT(WHICH) \
	"INSERT INTO endpoints (endpoint, database, dropped)" \
	" SELECT endpoint, substr(owner, 1, 32), sum(count) FROM requests" \
	" WHERE id IN (" WHICH ") GROUP BY 1, 2" \
	" ON CONFLICT DO UPDATE SET dropped = dropped + excluded.dropped"
#define DROP(WHICH) \
	"DELETE FROM requests WHERE id IN (" WHICH ")" OUTBOX_RETURNING

/* The index by_drop (outbox_db.c) has both kinds, and this order. */
_Static_assert(WEBHOOK_CLIENT_EVENT == 4 && WEBHOOK_COUNT == 6, "by_drop");
#define EVENT "kind IN (4, 6)"
#define OF_ENDPOINT \
	"SELECT id FROM requests WHERE state < 2 AND endpoint = ?2" \
	" ORDER BY state DESC, " EVENT " DESC, id LIMIT ?1"
#define DEAD "SELECT id FROM requests WHERE state = 1 ORDER BY id LIMIT ?1"
#define EVENTS \
	"SELECT id FROM requests WHERE state = 0 AND " EVENT \
	" ORDER BY id LIMIT ?1"

static sqlite3_stmt *
prepare(struct outbox *o, const char *sql, unsigned n, uint32_t endpoint)
{
	sqlite3_stmt *s;

	if (sqlite3_prepare_v2(o->db, sql, -1, &s, NULL) != SQLITE_OK)
		return NULL;
	sqlite3_bind_int64(s, 1, n);
	sqlite3_bind_int64(s, 2, endpoint); /* out of range if it has none */
	return s;
}

/* Runs COUNT and DROP of the same rows; see outbox_delete_rows(). */
static int
drop(struct outbox *o, const char *const sql[2], unsigned n, uint32_t endpoint,
    uint64_t *ids)
{
	sqlite3_stmt *s;
	int step = SQLITE_ERROR;

	if (outbox_begin(o) == -1)
		return -1;
	s = prepare(o, sql[0], n, endpoint);
	if (s != NULL)
		step = sqlite3_step(s);
	sqlite3_finalize(s);
	return step == SQLITE_DONE
	    ? outbox_delete_rows(o, prepare(o, sql[1], n, endpoint), ids)
	    : -1;
}

int
outbox_yield(struct outbox *o, uint32_t endpoint, unsigned n, uint64_t *ids)
{
	static const char *const of_endpoint[] = { COUNT(OF_ENDPOINT),
		DROP(OF_ENDPOINT) };

	return drop(o, of_endpoint, n, endpoint, ids);
}

int
outbox_shrink(struct outbox *o, unsigned n)
{
	static const char *const dead[] = { COUNT(DEAD), DROP(DEAD) };
	static const char *const events[] = { COUNT(EVENTS), DROP(EVENTS) };

	return drop(o, o->counts.dead > 0 ? dead : events, n, 0, NULL);
}

/* ---- the state of endpoints ---- */

int
outbox_each_health(struct outbox *o, const char *database,
    void (*fn)(void *arg, const struct outbox_health *), void *arg)
{
	static const char sql[] =
	    "SELECT endpoint, sum(n), min(oldest), sum(dropped), max(failing)"
	    " FROM (SELECT endpoint, sum(count) AS n, min(time_ms) AS oldest,"
	    "  0 AS dropped, 0 AS failing FROM requests WHERE state = 0"
	    "  AND substr(owner, 1, 32) IN ('', ?1) GROUP BY endpoint"
	    " UNION ALL SELECT endpoint, 0, NULL, dropped, failing_ms"
	    "  FROM endpoints WHERE database = ?1)"
	    " GROUP BY endpoint ORDER BY endpoint";
	struct outbox_health h;
	sqlite3_stmt *s;
	int step;

	if (sqlite3_prepare_v2(o->db, sql, -1, &s, NULL) != SQLITE_OK)
		return -1;
	sqlite3_bind_text(s, 1, database, -1, SQLITE_STATIC);
	while ((step = sqlite3_step(s)) == SQLITE_ROW) {
		h.endpoint = (uint32_t)sqlite3_column_int64(s, 0);
		h.waiting = (uint64_t)sqlite3_column_int64(s, 1);
		h.oldest_ms = (uint64_t)sqlite3_column_int64(s, 2);
		h.dropped = (uint64_t)sqlite3_column_int64(s, 3);
		h.failing_ms = (uint64_t)sqlite3_column_int64(s, 4);
		fn(arg, &h);
	}
	sqlite3_finalize(s);
	return step == SQLITE_DONE ? 0 : -1;
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
outbox_set_failing(
    struct outbox *o, uint32_t endpoint, const char *database, uint64_t ms)
{
	return run(o,
		   "INSERT INTO endpoints (endpoint, database, failing_ms)"
		   " VALUES (?1, ?2, ?3) ON CONFLICT"
		   " DO UPDATE SET failing_ms = excluded.failing_ms",
		   endpoint, database, ms) == -1
	    ? -1
	    : 0;
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
	    run(o,
		"DELETE FROM endpoints WHERE endpoint = ?1 AND database = ?2",
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
