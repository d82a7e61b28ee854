/* SPDX-License-Identifier: MIT */
/*
 * stats_db.c: statistics over time on disk.  Owns the SQLite file.  A minute
 * and the number by which a repeated one is recognized are in the same
 * transaction.  A commit is not synchronous: a power failure may take the last
 * minutes, but damages nothing.  Must never log, and never wait longer than
 * BUSY_MS for another process.
 */

#include "shared/app/stats_db.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/base/base.h"
#include "shared/base/xmalloc.h"

#define BUSY_MS 100
#define SOME "5000" /* rows that are removed at once */

struct stats_db {
	sqlite3 *db;
	sqlite3_stmt *add;
	uint64_t origin, seq; /* of the last minute */
	bool empty;           /* read while it is being made */
};

#define SCHEMA 3

#define COLUMN(f, of) "," #f " INTEGER NOT NULL DEFAULT 0"
static const char schema[] =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE periods ("
    " step INTEGER NOT NULL, time INTEGER NOT NULL, app TEXT NOT "
    "NULL" STATS_DB_FIELDS(COLUMN, COLUMN, COLUMN,
	COLUMN) ", PRIMARY KEY (step, time, app)) STRICT, WITHOUT ROWID;"
		"CREATE TABLE last (origin INTEGER NOT NULL, seq INTEGER NOT "
		"NULL) STRICT;"
		"INSERT INTO last VALUES (0, 0);"
		"PRAGMA user_version = 3;"
		"COMMIT;";

#define NAME(f, of) "," #f
#define VALUE(f, of) ",?"
#define ADD(f, of) "," #f "=" #f "+excluded." #f
#define HIGHEST(f, of) "," #f "=max(" #f ",excluded." #f ")"
static const char add_sql[] =
    "INSERT INTO periods (step,time,app" STATS_DB_FIELDS(
	NAME, NAME, NAME, NAME) ") VALUES (?,?,?" STATS_DB_FIELDS(VALUE, VALUE,
	VALUE, VALUE) ")"
		      " ON CONFLICT DO UPDATE SET app=app" STATS_DB_FIELDS(
			  ADD, HIGHEST, ADD, ADD);

/*
 * ?1 app, ?2 step of the rows, ?3 step of the answer, ?4 from, ?5 to.  Each
 * time is looked up by the primary key: an index by app would be an eighth of
 * the file.
 */
#define SUM_OF(f, of) ",sum(a." #f ")"
#define MAX_OF(f, of) ",max(a." #f ")"
static const char each_sql[] =
    "WITH RECURSIVE times(t) AS ("
    " SELECT min(time) FROM periods WHERE step = ?2 AND time >= ?4"
    " UNION ALL SELECT (SELECT min(time) FROM periods"
    "  WHERE step = ?2 AND time > t) FROM times WHERE t < ?5)"
    "SELECT t / ?3 * ?3 AS period" STATS_DB_FIELDS(
	SUM_OF, MAX_OF, SUM_OF, SUM_OF) ", sum(w.seconds) FROM times"
					" LEFT JOIN periods AS w ON w.step = ?2"
					"  AND w.time = t AND w.app = ''"
					" LEFT JOIN periods AS a ON a.step = ?2"
					"  AND a.time = t AND a.app = ?1"
					" WHERE t < ?5 GROUP BY period"
					" HAVING count(a.step) > 0"
					" ORDER BY period";

char *
stats_db_path(const char *outbox)
{
	const char *slash = strrchr(outbox, '/');

	return xasprintf("%.*s/stats.db",
	    slash == NULL ? 1 : (int)(slash - outbox),
	    slash == NULL ? "." : outbox);
}

static int
run(struct stats_db *d, const char *sql)
{
	return sqlite3_exec(d->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : -1;
}

/* The numbers of the first row. */
static int
ask(struct stats_db *d, const char *sql, uint64_t *a, uint64_t *b)
{
	sqlite3_stmt *s;
	int r = -1;

	if (sqlite3_prepare_v2(d->db, sql, -1, &s, NULL) != SQLITE_OK)
		return -1;
	if (sqlite3_step(s) == SQLITE_ROW) {
		*a = (uint64_t)sqlite3_column_int64(s, 0);
		*b = (uint64_t)sqlite3_column_int64(s, 1);
		r = 0;
	}
	return sqlite3_finalize(s) == SQLITE_OK ? r : -1;
}

/*
 * An older version of pusherd has made the file: adds the columns that it has
 * not, and drops an index that it had.
 */
static int
migrate(struct stats_db *d)
{
	static const char *const names[] = {
#define COLUMN_NAME(f, of) #f,
		STATS_DB_FIELDS(
		    COLUMN_NAME, COLUMN_NAME, COLUMN_NAME, COLUMN_NAME)
	};
	char *sql = xstrdup("BEGIN IMMEDIATE; DROP INDEX IF EXISTS by_app"),
	     *more;
	uint64_t has, none;
	int r = 0;

	for (size_t i = 0; i < nitems(names) && r == 0; i++) {
		more =
		    xasprintf("SELECT count(*), 0 FROM"
			      " pragma_table_info('periods') WHERE name='%s'",
			names[i]);
		r = ask(d, more, &has, &none);
		free(more);
		if (r == -1 || has > 0)
			continue;
		more = xasprintf("%s; ALTER TABLE periods ADD COLUMN %s"
				 " INTEGER NOT NULL DEFAULT 0",
		    sql, names[i]);
		free(sql);
		sql = more;
	}
	more = xasprintf("%s; PRAGMA user_version = %d; COMMIT", sql, SCHEMA);
	if (r == 0)
		r = run(d, more);
	free(more);
	free(sql);
	return r;
}

static int
prepare(struct stats_db *d, bool write, char **why)
{
	uint64_t version, none;

	if (write &&
	    run(d,
		"PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
		"PRAGMA journal_size_limit = 16777216") == -1)
		return -1;
	if (run(d, "PRAGMA temp_store = MEMORY") == -1 ||
	    ask(d, "PRAGMA user_version", &version, &none) == -1)
		return -1;
	if (version == 0 && write) {
		if (run(d, schema) == -1)
			return -1;
	} else if (version == 0) {
		d->empty = true;
	} else if (version > SCHEMA) {
		*why = xstrdup("it was not made by this version of pusherd: "
			       "move it away, and a new one is made");
		return -1;
	} else if (version < SCHEMA && !write) {
		*why = xstrdup("it is of an earlier version of pusherd: the "
			       "server extends it when the first minute after "
			       "its start is over");
		return -1;
	} else if (version < SCHEMA && migrate(d) == -1) {
		return -1;
	}
	if (!write)
		return 0;
	return ask(d, "SELECT origin, seq FROM last", &d->origin, &d->seq);
}

/*
 * False with errno.  A file that is there is not opened: another connection of
 * this process would lose its locks at the close(2).
 */
static bool
is_there(const char *path, bool write)
{
	int fd;

	if (faccessat(AT_FDCWD, path, write ? R_OK | W_OK : R_OK, AT_EACCESS) ==
	    0)
		return true;
	if (errno != ENOENT || !write)
		return false;
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd == -1)
		return errno == EEXIST;
	close(fd);
	return true;
}

struct stats_db *
stats_db_open(const char *path, enum stats_db_mode mode, char **why)
{
	bool write = mode == STATS_DB_WRITE;
	struct stats_db *d;
	char *trouble = NULL;

	*why = NULL;
	if (!is_there(path, write)) {
		*why = xasprintf("%s: %s", path, strerror(errno));
		return NULL;
	}
	d = xcalloc(1, sizeof(*d));
	if (sqlite3_open_v2(path, &d->db,
		SQLITE_OPEN_NOMUTEX |
		    (write ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY),
		NULL) == SQLITE_OK) {
		sqlite3_db_config(d->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
		sqlite3_busy_timeout(
		    d->db, mode == STATS_DB_READ ? 20 * BUSY_MS : BUSY_MS);
		if (prepare(d, write, &trouble) == 0)
			return d;
	}
	*why = xasprintf(
	    "%s: %s", path, trouble != NULL ? trouble : stats_db_error(d));
	free(trouble);
	stats_db_close(d);
	return NULL;
}

void
stats_db_close(struct stats_db *d)
{
	if (d == NULL)
		return;
	sqlite3_finalize(d->add);
	sqlite3_close(d->db);
	free(d);
}

const char *
stats_db_error(const struct stats_db *d)
{
	int code = sqlite3_errcode(d->db);

	if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB)
		return "it is damaged or not an SQLite file: move it away with "
		       "its -wal and -shm, and a new one is made";
	return sqlite3_errmsg(d->db);
}

/* ---- writing ---- */

static int
add_to(struct stats_db *d, uint64_t step, const struct stats_db_minute *m)
{
	sqlite3_stmt *s = d->add;
	uint64_t begins = m->time / step * step;
	int i = 0, r;

	sqlite3_bind_int64(s, ++i, (sqlite3_int64)step);
	sqlite3_bind_int64(s, ++i, (sqlite3_int64)begins);
	sqlite3_bind_text64(s, ++i, m->app.n == 0 ? "" : m->app.p, m->app.n,
	    SQLITE_STATIC, SQLITE_UTF8);
#define X(f, of) sqlite3_bind_int64(s, ++i, (sqlite3_int64)m->row.f);
	STATS_DB_FIELDS(X, X, X, X)
#undef X
	r = sqlite3_step(s) == SQLITE_DONE ? 0 : -1;
	sqlite3_reset(s);
	sqlite3_clear_bindings(s);
	return r;
}

int
stats_db_add(struct stats_db *d, const struct stats_db_minute *m)
{
	if (m->origin == d->origin && m->seq <= d->seq)
		return 0;
	if (d->add == NULL &&
	    sqlite3_prepare_v3(d->db, add_sql, -1, SQLITE_PREPARE_PERSISTENT,
		&d->add, NULL) != SQLITE_OK)
		return -1;
	if (sqlite3_get_autocommit(d->db) && run(d, "BEGIN IMMEDIATE") == -1)
		return -1;
	d->origin = m->origin;
	d->seq = m->seq;
	return add_to(d, 60, m) == -1 ? -1 : add_to(d, 3600, m);
}

/* Runs a statement with two numbers. */
static int
run_with(struct stats_db *d, const char *sql, uint64_t a, uint64_t b)
{
	sqlite3_stmt *s;
	int r;

	if (sqlite3_prepare_v2(d->db, sql, -1, &s, NULL) != SQLITE_OK)
		return -1;
	sqlite3_bind_int64(s, 1, (sqlite3_int64)a);
	sqlite3_bind_int64(s, 2, (sqlite3_int64)b);
	r = sqlite3_step(s) == SQLITE_DONE ? 0 : -1;
	sqlite3_finalize(s);
	return r;
}

/*
 * At most the oldest two hours: a clock that jumps ahead for a while must not
 * take a year of rows with it.
 */
static int
prune(struct stats_db *d, uint64_t step, uint64_t before)
{
	return run_with(d,
	    "DELETE FROM periods WHERE (step, time, app) IN"
	    " (SELECT step, time, app FROM periods WHERE step = ?1"
	    "  AND time < ?2 AND time < 7200 +"
	    "   (SELECT min(time) FROM periods WHERE step = ?1)"
	    "  ORDER BY time LIMIT " SOME ")",
	    step, before);
}

static int
prune_all(struct stats_db *d, uint64_t now)
{
	uint64_t pages, size;
	bool full;

	if (ask(d,
		"SELECT page_count - freelist_count, page_size FROM"
		" pragma_page_count, pragma_freelist_count, pragma_page_size",
		&pages, &size) == -1)
		return -1;
	full = pages * size > STATS_DB_BYTES;
	if (prune(d, 60, full ? INT64_MAX : now - STATS_DB_MINUTES) == -1)
		return -1;
	full = full && sqlite3_changes(d->db) == 0;
	return prune(d, 3600, full ? INT64_MAX : now - STATS_DB_HOURS);
}

int
stats_db_commit(struct stats_db *d, uint64_t now)
{
	if (sqlite3_get_autocommit(d->db))
		return 0;
	if (prune_all(d, now) == -1 ||
	    run_with(d, "UPDATE last SET origin = ?1, seq = ?2", d->origin,
		d->seq) == -1)
		return -1;
	return run(d, "COMMIT");
}

/* ---- reading ---- */

bool
stats_db_knows(struct stats_db *d, struct str app)
{
	sqlite3_stmt *s;
	bool knows;

	if (d->empty ||
	    sqlite3_prepare_v2(d->db,
		"SELECT 1 FROM periods WHERE app = ?1 LIMIT 1", -1, &s,
		NULL) != SQLITE_OK)
		return false;
	sqlite3_bind_text64(s, 1, app.p, app.n, SQLITE_STATIC, SQLITE_UTF8);
	knows = sqlite3_step(s) == SQLITE_ROW;
	sqlite3_finalize(s);
	return knows;
}

int
stats_db_each(struct stats_db *d, const struct stats_db_query *q,
    stats_db_fn fn, void *arg)
{
	struct stats_db_row row;
	sqlite3_stmt *s;
	uint64_t time;
	int step, i;

	if (d->empty)
		return 0;
	if (sqlite3_prepare_v2(d->db, each_sql, -1, &s, NULL) != SQLITE_OK)
		return -1;
	sqlite3_bind_text64(s, 1, q->app.n == 0 ? "" : q->app.p, q->app.n,
	    SQLITE_STATIC, SQLITE_UTF8);
	sqlite3_bind_int64(s, 2, q->step == 60 ? 60 : 3600);
	sqlite3_bind_int64(s, 3, (sqlite3_int64)q->step);
	sqlite3_bind_int64(s, 4, (sqlite3_int64)q->from);
	sqlite3_bind_int64(s, 5, q->to == 0 ? INT64_MAX : (sqlite3_int64)q->to);
	while ((step = sqlite3_step(s)) == SQLITE_ROW) {
		i = 0;
		time = (uint64_t)sqlite3_column_int64(s, i++);
#define X(f, of) row.f = (uint64_t)sqlite3_column_int64(s, i++);
		STATS_DB_FIELDS(X, X, X, X)
#undef X
		fn(arg, time, (uint64_t)sqlite3_column_int64(s, i), &row);
	}
	sqlite3_finalize(s);
	return step == SQLITE_DONE ? 0 : -1;
}
