/* SPDX-License-Identifier: MIT */
/*
 * outbox_db.c: webhooks on disk.  Owns the SQLite file: write-ahead log, every
 * commit synchronous, because the broker forgets what is committed.  The rows
 * are in outbox_rows.c.  pusherctl reads and changes the same file; SQLite
 * keeps the two apart.  Must never log, and never wait for anything but the
 * disk.
 */

#include "shared/app/outbox_db.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/base/base.h"
#include "shared/base/xmalloc.h"

#define BUSY_MS 2000

/* The changes of each version of the schema to the one before it. */
static const char *const schema[] = {
	"CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) "
	"STRICT;"
	"CREATE TABLE requests ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" endpoint INTEGER NOT NULL,"
	" app INTEGER NOT NULL,"
	" kind INTEGER NOT NULL,"
	" lane INTEGER NOT NULL,"
	" count INTEGER NOT NULL,"
	" state INTEGER NOT NULL,"
	" attempts INTEGER NOT NULL,"
	" status INTEGER NOT NULL,"
	" time_ms INTEGER NOT NULL,"
	" next_ms INTEGER NOT NULL,"
	" until_ms INTEGER NOT NULL,"
	" changed_ms INTEGER NOT NULL,"
	" bytes INTEGER NOT NULL,"
	" channel TEXT NOT NULL,"
	" answer TEXT NOT NULL,"
	" events TEXT NOT NULL"
	") STRICT;"
	"CREATE INDEX by_state ON requests (state, id, bytes);"
	"CREATE TABLE told ("
	" app INTEGER NOT NULL,"
	" channel TEXT NOT NULL,"
	" user TEXT NOT NULL,"
	" missed INTEGER NOT NULL,"
	" PRIMARY KEY (app, channel, user)"
	") STRICT, WITHOUT ROWID;"
	"CREATE TABLE origins ("
	" origin INTEGER PRIMARY KEY,"
	" seq INTEGER NOT NULL,"
	" heard_ms INTEGER NOT NULL"
	") STRICT;"
	"INSERT INTO meta VALUES ('name', random());"
	"INSERT INTO meta VALUES ('probe', 0);",
	/* A queue for each channel instead of eight lanes and one of tests. */
	"ALTER TABLE requests RENAME COLUMN lane TO queue;"
	"UPDATE requests SET queue = CASE WHEN queue = 8 THEN 2"
	" WHEN count > 1 THEN 1 ELSE 0 END;",
	/* Numbers of apps and endpoints are unique only within one database. */
	"ALTER TABLE requests ADD COLUMN owner TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE told ADD COLUMN owner TEXT NOT NULL DEFAULT '';"
	"CREATE TABLE endpoints ("
	" endpoint INTEGER NOT NULL,"
	" database TEXT NOT NULL,"
	" dropped INTEGER NOT NULL DEFAULT 0,"
	" failing_ms INTEGER NOT NULL DEFAULT 0,"
	" PRIMARY KEY (endpoint, database)"
	") STRICT, WITHOUT ROWID;",
	"ALTER TABLE told RENAME TO hook_states;",
	/* A full outbox drops them in this order; see outbox_share.c. */
	"CREATE INDEX by_drop ON requests"
	" (endpoint, state DESC, kind IN (4, 6) DESC, id, bytes)"
	" WHERE state < 2;",
};
#define VERSION ((uint64_t)nitems(schema))

int
outbox_ask_number(struct outbox *o, const char *sql, uint64_t *n)
{
	sqlite3_stmt *s;
	int r = -1;

	if (sqlite3_prepare_v2(o->db, sql, -1, &s, NULL) != SQLITE_OK)
		return -1;
	if (sqlite3_step(s) == SQLITE_ROW) {
		*n = (uint64_t)sqlite3_column_int64(s, 0);
		r = 0;
	}
	return sqlite3_finalize(s) == SQLITE_OK ? r : -1;
}

/* The file may hold messages of clients: only its owner may read it. */
static int
prepare_file(const char *path, bool create, char **why)
{
	struct stat st;
	int fd;

	fd = open(path,
	    create ? O_RDWR | O_CREAT | O_CLOEXEC : O_RDWR | O_CLOEXEC, 0600);
	if (fd == -1) {
		*why = xasprintf(
		    "cannot use the outbox %s: %s", path, strerror(errno));
		return -1;
	}
	if (fstat(fd, &st) == 0 && (st.st_mode & 077) != 0) {
		*why = xasprintf("others may use the outbox %s (mode %04o): "
				 "chmod 600 %s",
		    path, st.st_mode & 07777, path);
		close(fd);
		return -1;
	}
	close(fd);
	return 0;
}

/* Another process may have been faster: then nothing is left to do. */
static int
upgrade(struct outbox *o)
{
	uint64_t version;
	char sql[48];

	if (outbox_begin(o) == -1 ||
	    outbox_ask_number(o, "PRAGMA user_version", &version) == -1)
		return -1;
	if (version >= VERSION)
		return outbox_commit(o);
	for (; version < VERSION; version++)
		if (sqlite3_exec(o->db, schema[version], NULL, NULL, NULL) !=
		    SQLITE_OK)
			return -1;
	snprintf(sql, sizeof(sql), "PRAGMA user_version = %d", (int)VERSION);
	if (sqlite3_exec(o->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return -1;
	return outbox_commit(o);
}

/*
 * 1: the file exists; 0: it does not, and must not be made; -1: error, in *why
 * if SQLite does not know it.
 */
static int
prepare_schema(struct outbox *o, bool create, char **why)
{
	uint64_t version;

	if (create &&
	    sqlite3_exec(o->db, "PRAGMA journal_mode = WAL", NULL, NULL,
		NULL) != SQLITE_OK)
		return -1;
	if (sqlite3_exec(o->db,
		"PRAGMA temp_store = MEMORY;" /* no descriptors */
		"PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 2000;"
		"PRAGMA journal_size_limit = 67108864;",
		NULL, NULL, NULL) != SQLITE_OK ||
	    outbox_ask_number(o, "PRAGMA user_version", &version) == -1)
		return -1;
	if (version > VERSION) {
		*why = xasprintf("it was made by a newer version of pusherd "
				 "(schema %" PRIu64 ", this one knows %" PRIu64
				 "): "
				 "install that version, or move it away",
		    version, VERSION);
		return -1;
	}
	if (version == 0 && !create)
		return 0;
	if (version < VERSION && upgrade(o) == -1)
		return -1;
	return outbox_ask_number(o,
		   "SELECT value FROM meta WHERE name = 'name'", &o->name) == 0
	    ? 1
	    : -1;
}

uint64_t *
outbox_counter(struct outbox *o, int state)
{
	return state == OUTBOX_WAITING ? &o->counts.waiting
	    : state == OUTBOX_DEAD     ? &o->counts.dead
				       : &o->counts.done;
}

int
outbox_recount(struct outbox *o)
{
	static const char sql[] = "SELECT state, count(*), sum(bytes)"
				  " FROM requests GROUP BY state";
	sqlite3_stmt *s;
	int step;

	o->counts = (struct outbox_counts){ 0 };
	if (sqlite3_prepare_v2(o->db, sql, -1, &s, NULL) != SQLITE_OK)
		return -1;
	while ((step = sqlite3_step(s)) == SQLITE_ROW) {
		*outbox_counter(o, sqlite3_column_int(s, 0)) =
		    (uint64_t)sqlite3_column_int64(s, 1);
		o->counts.bytes += (uint64_t)sqlite3_column_int64(s, 2);
	}
	sqlite3_finalize(s);
	return step == SQLITE_DONE ? 0 : -1;
}

struct outbox *
outbox_open(const char *path, bool create, char **why)
{
	char *trouble = NULL;
	struct outbox *o;
	int r = -1;

	*why = NULL;
	if (prepare_file(path, create, why) == -1)
		return NULL;
	o = xcalloc(1, sizeof(*o));
	if (sqlite3_open_v2(path, &o->db,
		SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
		NULL) == SQLITE_OK) {
		sqlite3_db_config(o->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
		sqlite3_busy_timeout(o->db, BUSY_MS);
		r = prepare_schema(o, create, &trouble);
		if (r == 1 && outbox_recount(o) == 0)
			return o;
	}
	if (r != 0)
		*why = xasprintf("the outbox %s: %s", path,
		    trouble != NULL ? trouble : outbox_error(o));
	free(trouble);
	outbox_close(o);
	return NULL;
}

void
outbox_close(struct outbox *o)
{
	if (o == NULL)
		return;
	for (size_t i = 0; i < OUTBOX_STMTS; i++)
		sqlite3_finalize(o->stmts[i]);
	sqlite3_close(o->db);
	free(o);
}

const char *
outbox_error(const struct outbox *o)
{
	int code = sqlite3_errcode(o->db);

	if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB)
		return "it is damaged or not an SQLite file: move it away with "
		       "its -wal and -shm, and a new one is made";
	return sqlite3_errmsg(o->db);
}

int
outbox_begin(struct outbox *o)
{
	if (!sqlite3_get_autocommit(o->db))
		return 0;
	return sqlite3_exec(o->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) ==
		SQLITE_OK
	    ? 0
	    : -1;
}

bool
outbox_is_dirty(const struct outbox *o)
{
	return !sqlite3_get_autocommit(o->db);
}

int
outbox_commit(struct outbox *o)
{
	if (!outbox_is_dirty(o))
		return 0;
	return sqlite3_exec(o->db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK
	    ? 0
	    : -1;
}

int
outbox_probe(struct outbox *o)
{
	static const char sql[] =
	    "UPDATE meta SET value = value + 1 WHERE name = 'probe'";

	if (outbox_begin(o) == -1 ||
	    sqlite3_exec(o->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return -1;
	return outbox_commit(o);
}

bool
outbox_has_changed(struct outbox *o)
{
	uint64_t version = o->data_version;

	if (outbox_ask_number(o, "PRAGMA data_version", &version) == -1 ||
	    version == o->data_version)
		return false;
	o->data_version = version;
	outbox_recount(o);
	return true;
}

void
outbox_count(const struct outbox *o, struct outbox_counts *c)
{
	*c = o->counts;
}

void
outbox_name(const struct outbox *o, uint64_t id, char out[OUTBOX_NAME_MAX])
{
	snprintf(out, OUTBOX_NAME_MAX, "%016llx-%llu",
	    (unsigned long long)o->name, (unsigned long long)id);
}
