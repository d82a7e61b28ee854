/* SPDX-License-Identifier: MIT */
/*
 * outbox_share.c: which endpoint holds most of the outbox, and how it gives
 * way.  Asked only when the outbox is full.
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
