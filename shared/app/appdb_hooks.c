/* SPDX-License-Identifier: MIT */
/*
 * appdb_hooks.c: the rows of the table of webhooks.  They are rarely read and
 * written, so statements are prepared when they are needed.  A row that was
 * changed by hand is checked like the options of pusherctl.
 */

#include "shared/app/appdb_hooks.h"

#include <stdlib.h>

#include "shared/app/appdb_private.h"
#include "shared/base/xmalloc.h"

#define COLUMNS \
	"app, url, events, prefix, suffix, glob, headers, batch, enabled"

static sqlite3_stmt *
prepare(struct appdb *d, const char *sql)
{
	sqlite3_stmt *s;

	if (sqlite3_prepare_v2(d->db, sql, -1, &s, NULL) == SQLITE_OK)
		return s;
	appdb_fail_sqlite(d);
	return NULL;
}

static const char *
column_text(sqlite3_stmt *s, int i)
{
	const char *p = (const char *)sqlite3_column_text(s, i);

	return p == NULL ? "" : p;
}

/* Sets one option from a column; -1 with a sentence. */
static int
read_option(struct appdb *d, sqlite3_stmt *s, struct webhook *h, int column,
    const char *option)
{
	char *why = NULL;

	if (webhook_set(h, option, column_text(s, column), &why) == 0)
		return 0;
	appdb_fail(d,
	    xasprintf("the row %lld of the table webhooks: %s",
		(long long)sqlite3_column_int64(s, 0), why));
	free(why);
	return -1;
}

static int
row_read(struct appdb *d, sqlite3_stmt *s, struct webhook *h)
{
	webhook_init(h);
	h->num = (uint32_t)sqlite3_column_int64(s, 0);
	h->app = (uint32_t)sqlite3_column_int64(s, 1);
	h->batch = sqlite3_column_int(s, 8) != 0;
	h->enabled = sqlite3_column_int(s, 9) != 0;
	if (read_option(d, s, h, 2, "url") == 0 &&
	    read_option(d, s, h, 3, "events") == 0 &&
	    read_option(d, s, h, 4, "channel-prefix") == 0 &&
	    read_option(d, s, h, 5, "channel-suffix") == 0 &&
	    read_option(d, s, h, 6, "channel-glob") == 0 &&
	    read_option(d, s, h, 7, "headers") == 0)
		return 0;
	webhook_clear(h);
	return -1;
}

int
appdb_hooks_each(struct appdb *d, uint32_t app,
    int (*fn)(void *arg, const struct webhook *), void *arg)
{
	sqlite3_stmt *s = prepare(d,
	    "SELECT num, " COLUMNS
	    " FROM webhooks WHERE ?1 = 0 OR app = ?1 ORDER BY num");
	struct webhook h;
	int step, r = 0;

	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, 1, app);
	while ((step = sqlite3_step(s)) == SQLITE_ROW) {
		if (row_read(d, s, &h) == -1) {
			r = -1;
			break;
		}
		r = fn(arg, &h);
		webhook_clear(&h);
		if (r != 0) {
			r = 0;
			break;
		}
	}
	if (step != SQLITE_ROW && step != SQLITE_DONE)
		r = appdb_fail_sqlite(d);
	sqlite3_finalize(s);
	return r;
}

int
appdb_hooks_find(struct appdb *d, uint32_t num, struct webhook *out)
{
	sqlite3_stmt *s =
	    prepare(d, "SELECT num, " COLUMNS " FROM webhooks WHERE num = ?1");
	int step, r = 0;

	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, 1, num);
	step = sqlite3_step(s);
	if (step == SQLITE_ROW)
		r = row_read(d, s, out) == -1 ? -1 : 1;
	else if (step != SQLITE_DONE)
		r = appdb_fail_sqlite(d);
	sqlite3_finalize(s);
	return r;
}

static int
bind_hook(sqlite3_stmt *s, const struct webhook *h)
{
	int i = 1;

	sqlite3_bind_int64(s, i++, h->app);
	sqlite3_bind_text(s, i++, h->url, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, i++, h->events, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, i++, h->prefix, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, i++, h->suffix, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, i++, h->glob, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, i++, h->headers, -1, SQLITE_STATIC);
	sqlite3_bind_int64(s, i++, h->batch);
	sqlite3_bind_int64(s, i++, h->enabled);
	return i;
}

static int
finish(struct appdb *d, sqlite3_stmt *s)
{
	int r = sqlite3_step(s) == SQLITE_DONE ? 0 : appdb_fail_sqlite(d);

	sqlite3_finalize(s);
	return r;
}

int
appdb_hooks_insert(struct appdb *d, struct webhook *h)
{
	sqlite3_stmt *s = prepare(d,
	    "INSERT INTO webhooks (" COLUMNS
	    ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)");
	sqlite3_int64 num;

	if (s == NULL)
		return -1;
	bind_hook(s, h);
	if (finish(d, s) == -1)
		return -1;
	num = sqlite3_last_insert_rowid(d->db);
	if (num < 1 || num > UINT32_MAX)
		return appdb_fail(
		    d, xstrdup("there are no more numbers for webhooks"));
	h->num = (uint32_t)num;
	return 0;
}

int
appdb_hooks_update(struct appdb *d, const struct webhook *h)
{
	sqlite3_stmt *s = prepare(d,
	    "UPDATE webhooks SET app = ?, url = ?, events = ?, prefix = ?,"
	    " suffix = ?, glob = ?, headers = ?, batch = ?, enabled = ?"
	    " WHERE num = ?");

	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, bind_hook(s, h), h->num);
	if (finish(d, s) == -1)
		return -1;
	return appdb_need_row(d, "webhook", h->num);
}

int
appdb_hooks_delete(struct appdb *d, uint32_t num)
{
	sqlite3_stmt *s = prepare(d, "DELETE FROM webhooks WHERE num = ?1");

	if (s == NULL)
		return -1;
	sqlite3_bind_int64(s, 1, num);
	if (finish(d, s) == -1)
		return -1;
	return appdb_need_row(d, "webhook", num);
}
