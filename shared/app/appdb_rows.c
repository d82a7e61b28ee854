/* SPDX-License-Identifier: MIT */
/*
 * appdb_rows.c: the rows of the table of apps, with statements prepared once.
 * The columns come from app_settings.def.  A row that was changed by hand to
 * invalid values is an error with a sentence, and is never silently corrected.
 */

#include "shared/app/appdb_private.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "shared/base/base.h"
#include "shared/base/xmalloc.h"

/* Each column, what stands for its value, and how it is set. */
#define APP_UINT(field, def, min, max, help) ", " #field
#define APP_BOOL(field, def, help) ", " #field
#define APP_TEXT(field, def, help) ", " #field
static const char columns[] =
    "id, key, secret, name, enabled, old_key, old_secret, old_until"
#include "shared/app/app_settings.def"
    ;
#define APP_UINT(field, def, min, max, help) ", ?"
#define APP_BOOL(field, def, help) ", ?"
#define APP_TEXT(field, def, help) ", ?"
static const char values[] = "?, ?, ?, ?, ?, ?, ?, ?"
#include "shared/app/app_settings.def"
    ;
#define APP_UINT(field, def, min, max, help) ", " #field " = ?"
#define APP_BOOL(field, def, help) ", " #field " = ?"
#define APP_TEXT(field, def, help) ", " #field " = ?"
static const char assignments[] =
    "id = ?, key = ?, secret = ?, name = ?, enabled = ?,"
    " old_key = ?, old_secret = ?, old_until = ?"
#include "shared/app/app_settings.def"
    ;

/* Text before and after a list of columns, values or assignments. */
static const struct {
	const char *before, *list, *after, *more;
} sql[STMT_COUNT] = {
	[STMT_ALL] = { "SELECT num, ", columns, " FROM apps ORDER BY num", "" },
	[STMT_BY_ID] = { "SELECT num, ", columns, " FROM apps WHERE id = ?1",
	    "" },
	[STMT_BY_KEY] = { "SELECT num, ", columns,
	    " FROM apps WHERE key = ?1 OR (old_key = ?1"
	    " AND old_until > unixepoch())",
	    "" },
	[STMT_BY_NAME] = { "SELECT num, ", columns,
	    " FROM apps WHERE name = ?1 LIMIT 2", "" },
	[STMT_INSERT] = { "INSERT INTO apps (", columns, ") VALUES (", values },
	[STMT_UPDATE] = { "UPDATE apps SET ", assignments, " WHERE num = ?",
	    "" },
	[STMT_DELETE] = { "DELETE FROM apps WHERE num = ?1", "", "", "" },
};

int
appdb_rows_prepare(struct appdb *d)
{
	char *text;
	int r;

	for (size_t i = 0; i < STMT_COUNT; i++) {
		text = xasprintf("%s%s%s%s%s", sql[i].before, sql[i].list,
		    sql[i].after, sql[i].more, i == STMT_INSERT ? ")" : "");
		r = sqlite3_prepare_v3(d->db, text, -1,
		    SQLITE_PREPARE_PERSISTENT, &d->stmts[i], NULL);
		free(text);
		if (r != SQLITE_OK)
			return -1;
	}
	return 0;
}

void
appdb_rows_finalize(struct appdb *d)
{
	size_t i;

	for (i = 0; i < STMT_COUNT; i++) {
		sqlite3_finalize(d->stmts[i]);
		d->stmts[i] = NULL;
	}
}

bool
appdb_is_busy(struct appdb *d)
{
	return sqlite3_errcode(d->db) == SQLITE_BUSY;
}

const char *
appdb_error(const struct appdb *d)
{
	return d->error != NULL ? d->error : "no error";
}

int
appdb_fail(struct appdb *d, char *sentence)
{
	free(d->error);
	d->error = sentence;
	return -1;
}

int
appdb_fail_sqlite(struct appdb *d)
{
	const char *text = sqlite3_errmsg(d->db);

	switch (sqlite3_errcode(d->db)) {
	case SQLITE_BUSY:
		return appdb_fail(d,
		    xasprintf("the database %s is busy with another process: "
			      "end that one (fuser names it), or try again",
			sqlite3_db_filename(d->db, "main")));
	case SQLITE_FULL:
		return appdb_fail(
		    d, xstrdup("the disk of the database is full"));
	case SQLITE_CONSTRAINT:
		if (strstr(text, "apps.id") != NULL)
			return appdb_fail(
			    d, xstrdup("another app has this id already"));
		if (strstr(text, "apps.key") != NULL)
			return appdb_fail(
			    d, xstrdup("another app has this key already"));
		break;
	default:
		break;
	}
	return appdb_fail(d, xstrdup(text));
}

/* ---- a row into a struct app ---- */

struct row {
	struct appdb *d;
	sqlite3_stmt *s;
	int column; /* the next one */
	bool bad;   /* a sentence has been set */
};

static void
row_bad(struct row *r, const char *what)
{
	if (!r->bad)
		appdb_fail(r->d,
		    xasprintf("the row %lld of the table apps: %s %s",
			(long long)sqlite3_column_int64(r->s, 0),
			sqlite3_column_name(r->s, r->column), what));
	r->bad = true;
}

static uint32_t
row_number(struct row *r, int64_t min, int64_t max)
{
	int64_t n = sqlite3_column_int64(r->s, r->column);

	if (n < min || n > max)
		row_bad(r, "is out of range");
	r->column++;
	return (uint32_t)n;
}

/* A Unix time. */
static uint64_t
row_seconds(struct row *r)
{
	int64_t n = sqlite3_column_int64(r->s, r->column);

	if (n < 0)
		row_bad(r, "is out of range");
	r->column++;
	return (uint64_t)MAX(n, 0);
}

static void
row_text(struct row *r, char **out)
{
	const char *p = (const char *)sqlite3_column_text(r->s, r->column);
	size_t n = (size_t)sqlite3_column_bytes(r->s, r->column);

	if (p == NULL || memchr(p, '\0', n) != NULL)
		row_bad(r, "is no text");
	free(*out);
	*out = xstrdup(p != NULL ? p : "");
	r->column++;
}

/* 0, or -1 with a sentence and nothing in *a. */
static int
row_read(struct appdb *d, sqlite3_stmt *s, struct app *a)
{
	struct row r = { d, s, 0, false };

	memset(a, 0, sizeof(*a));
	a->num = row_number(&r, 1, UINT32_MAX);
	row_text(&r, &a->id);
	row_text(&r, &a->key);
	row_text(&r, &a->secret);
	row_text(&r, &a->name);
	a->enabled = row_number(&r, 0, 1);
	row_text(&r, &a->old_key);
	row_text(&r, &a->old_secret);
	a->old_until = row_seconds(&r);
	if (a->old_until == 0)
		app_drop_old_key(a);
	else if (!app_has_old_key(a, (uint64_t)time(NULL)))
		app_end_old_key(a);
#define APP_UINT(field, def, min, max, help) \
	a->field = row_number(&r, min, max);
#define APP_BOOL(field, def, help) a->field = row_number(&r, 0, 1);
#define APP_TEXT(field, def, help) row_text(&r, &a->field);
#include "shared/app/app_settings.def"
	if (!r.bad)
		return 0;
	app_clear(a);
	return -1;
}

int
appdb_each(struct appdb *d, int (*fn)(void *arg, const struct app *), void *arg)
{
	sqlite3_stmt *s = d->stmts[STMT_ALL];
	struct app a;
	int step, r = 0;

	while ((step = sqlite3_step(s)) == SQLITE_ROW) {
		r = row_read(d, s, &a);
		if (r == -1)
			break;
		r = fn(arg, &a);
		app_clear(&a);
		if (r != 0) {
			r = 0;
			break;
		}
	}
	if (step != SQLITE_ROW && step != SQLITE_DONE)
		r = appdb_fail_sqlite(d);
	sqlite3_reset(s);
	return r;
}

/* 1: one row, in *out; 0: none, or more than one; -1: error. */
static int
find_by(
    struct appdb *d, enum appdb_stmt which, const char *text, struct app *out)
{
	sqlite3_stmt *s = d->stmts[which];
	int step, r = 0;

	sqlite3_bind_text(s, 1, text, -1, SQLITE_STATIC);
	step = sqlite3_step(s);
	if (step == SQLITE_ROW) {
		r = row_read(d, s, out) == -1 ? -1 : 1;
		step = sqlite3_step(s);
		if (r == 1 && step != SQLITE_DONE) {
			app_clear(out);
			r = 0;
		}
	}
	if (r != -1 && step != SQLITE_ROW && step != SQLITE_DONE)
		r = appdb_fail_sqlite(d);
	sqlite3_reset(s);
	sqlite3_clear_bindings(s);
	return r;
}

int
appdb_find_exact(struct appdb *d, const char *which, struct app *out)
{
	int r = find_by(d, STMT_BY_ID, which, out);

	return r == 0 ? find_by(d, STMT_BY_KEY, which, out) : r;
}

int
appdb_find(struct appdb *d, const char *which, struct app *out)
{
	int r = appdb_find_exact(d, which, out);

	if (r == 0 && which[0] != '\0')
		r = find_by(d, STMT_BY_NAME, which, out);
	return r;
}

/* ---- a struct app into a row ---- */

static int
bind_app(sqlite3_stmt *s, const struct app *a)
{
	/* Of an old key that has ended the secret is not stored. */
	bool old = app_has_old_key(a, (uint64_t)time(NULL));
	int i = 1;

	sqlite3_bind_text(s, i++, a->id, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, i++, a->key, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, i++, a->secret, -1, SQLITE_STATIC);
	sqlite3_bind_text(
	    s, i++, a->name != NULL ? a->name : "", -1, SQLITE_STATIC);
	sqlite3_bind_int64(s, i++, a->enabled);
	sqlite3_bind_text(
	    s, i++, a->old_key != NULL ? a->old_key : "", -1, SQLITE_STATIC);
	sqlite3_bind_text(s, i++, old ? a->old_secret : "", -1, SQLITE_STATIC);
	sqlite3_bind_int64(s, i++, (sqlite3_int64)a->old_until);
#define APP_UINT(field, def, min, max, help) \
	sqlite3_bind_int64(s, i++, a->field);
#define APP_BOOL(field, def, help) sqlite3_bind_int64(s, i++, a->field);
#define APP_TEXT(field, def, help) \
	sqlite3_bind_text(s, i++, a->field, -1, SQLITE_STATIC);
#include "shared/app/app_settings.def"
	return i;
}

/* Runs a statement without a result row, and unbinds its values. */
static int
finish(struct appdb *d, sqlite3_stmt *s)
{
	int r = 0;

	if (sqlite3_step(s) != SQLITE_DONE)
		r = appdb_fail_sqlite(d);
	sqlite3_reset(s);
	sqlite3_clear_bindings(s);
	return r;
}

int
appdb_need_row(struct appdb *d, const char *what, uint32_t num)
{
	if (sqlite3_changes(d->db) == 1)
		return 0;
	return appdb_fail(d,
	    xasprintf("there is no %s with the number %u any more", what, num));
}

int
appdb_insert(struct appdb *d, struct app *a)
{
	sqlite3_stmt *s = d->stmts[STMT_INSERT];
	sqlite3_int64 num;

	bind_app(s, a);
	if (finish(d, s) == -1)
		return -1;
	num = sqlite3_last_insert_rowid(d->db);
	if (num < 1 || num > UINT32_MAX)
		return appdb_fail(
		    d, xstrdup("there are no more numbers for apps"));
	a->num = (uint32_t)num;
	return 0;
}

int
appdb_update(struct appdb *d, const struct app *a)
{
	sqlite3_stmt *s = d->stmts[STMT_UPDATE];

	sqlite3_bind_int64(s, bind_app(s, a), a->num);
	if (finish(d, s) == -1)
		return -1;
	return appdb_need_row(d, "app", a->num);
}

int
appdb_delete(struct appdb *d, uint32_t num)
{
	sqlite3_stmt *s = d->stmts[STMT_DELETE];

	sqlite3_bind_int64(s, 1, num);
	if (finish(d, s) == -1)
		return -1;
	return appdb_need_row(d, "app", num);
}

static int
run(struct appdb *d, const char *text)
{
	if (sqlite3_exec(d->db, text, NULL, NULL, NULL) != SQLITE_OK)
		return appdb_fail_sqlite(d);
	return 0;
}

int
appdb_begin(struct appdb *d)
{
	return run(d, "BEGIN IMMEDIATE");
}

int
appdb_commit(struct appdb *d)
{
	return run(d, "COMMIT");
}

void
appdb_rollback(struct appdb *d)
{
	if (!sqlite3_get_autocommit(d->db))
		run(d, "ROLLBACK");
}
