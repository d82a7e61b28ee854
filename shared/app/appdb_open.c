/* SPDX-License-Identifier: MIT */
/*
 * appdb_open.c: opens the SQLite file with the apps, after making sure that no
 * other user can read the secrets in it, and brings it to the newest schema.
 * The rows are in appdb_rows.c.  A schema never changes: a new one is another
 * step at the end of `steps`, and user_version counts the steps taken.  SQL is
 * constant.  Never logs.
 */

#include "shared/app/appdb.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/app/appdb_private.h"
#include "shared/base/base.h"
#include "shared/base/file.h"
#include "shared/base/xmalloc.h"

/* A writer waits for another writer; a reader gets EBUSY and tries again. */
#define WRITE_WAIT_MS 2000
#define READ_WAIT_MS 100

/* The unit test proves that it has the columns of app_settings.def. */
static const char *const steps[] = {
	"CREATE TABLE apps ("
	" num INTEGER PRIMARY KEY AUTOINCREMENT,"
	" id TEXT NOT NULL UNIQUE, key TEXT NOT NULL UNIQUE,"
	" secret TEXT NOT NULL,"
	" name TEXT NOT NULL DEFAULT '', enabled INTEGER NOT NULL DEFAULT 1,"
	" client_events INTEGER NOT NULL DEFAULT 0,"
	" subscription_count INTEGER NOT NULL DEFAULT 0,"
	" max_connections INTEGER NOT NULL DEFAULT 0,"
	" max_client_events_per_second INTEGER NOT NULL DEFAULT 10,"
	" max_presence_members INTEGER NOT NULL DEFAULT 100,"
	" max_presence_member_bytes INTEGER NOT NULL DEFAULT 1024,"
	" max_channel_name_length INTEGER NOT NULL DEFAULT 164,"
	" max_event_name_length INTEGER NOT NULL DEFAULT 200,"
	" max_event_channels INTEGER NOT NULL DEFAULT 100,"
	" max_event_bytes INTEGER NOT NULL DEFAULT 10240,"
	" max_batch_events INTEGER NOT NULL DEFAULT 10,"
	" activity_timeout INTEGER NOT NULL DEFAULT 30,"
	" allowed_origins TEXT NOT NULL DEFAULT '',"
	" cache_ttl INTEGER NOT NULL DEFAULT 1800,"
	" max_subscriptions INTEGER NOT NULL DEFAULT 1000,"
	" max_backend_events_per_second INTEGER NOT NULL DEFAULT 0,"
	" max_read_requests_per_second INTEGER NOT NULL DEFAULT 0,"
	" authorized_connections INTEGER NOT NULL DEFAULT 0,"
	" authorized_connection_timeout INTEGER NOT NULL DEFAULT 30,"
	" tls_only INTEGER NOT NULL DEFAULT 0,"
	" created_at INTEGER NOT NULL DEFAULT (unixepoch())"
	") STRICT;"
	"PRAGMA user_version = 1;",
	/* AUTOINCREMENT: the outbox knows endpoints by their numbers. */
	"ALTER TABLE apps"
	" ADD COLUMN webhook_allow_private INTEGER NOT NULL DEFAULT 0;"
	"CREATE TABLE webhooks ("
	" num INTEGER PRIMARY KEY AUTOINCREMENT,"
	" app INTEGER NOT NULL,"
	" url TEXT NOT NULL,"
	" events TEXT NOT NULL DEFAULT '',"
	" prefix TEXT NOT NULL DEFAULT '',"
	" suffix TEXT NOT NULL DEFAULT '',"
	" glob TEXT NOT NULL DEFAULT '',"
	" headers TEXT NOT NULL DEFAULT '',"
	" batch INTEGER NOT NULL DEFAULT 0,"
	" enabled INTEGER NOT NULL DEFAULT 1,"
	" created_at INTEGER NOT NULL DEFAULT (unixepoch())"
	") STRICT;"
	"CREATE TRIGGER app_deleted AFTER DELETE ON apps BEGIN"
	" DELETE FROM webhooks WHERE app = OLD.num; END;"
	"PRAGMA user_version = 2;",
	"ALTER TABLE apps"
	" ADD COLUMN max_messages_per_second INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE apps"
	" ADD COLUMN max_user_id_length INTEGER NOT NULL DEFAULT 128;"
	"ALTER TABLE apps"
	" ADD COLUMN max_watchlist_ids INTEGER NOT NULL DEFAULT 100;"
	"ALTER TABLE apps"
	" ADD COLUMN max_timestamp_age INTEGER NOT NULL DEFAULT 600;"
	"PRAGMA user_version = 3;",
	/* The key before the last rotation; no two apps have the same key. */
	"ALTER TABLE apps ADD COLUMN old_key TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE apps ADD COLUMN old_secret TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE apps ADD COLUMN old_until INTEGER NOT NULL DEFAULT 0;"
	"CREATE TRIGGER app_key_inserted BEFORE INSERT ON apps"
	" WHEN EXISTS (SELECT 1 FROM apps WHERE old_key = NEW.key"
	" AND old_until > unixepoch())"
	" BEGIN SELECT RAISE(ABORT, 'apps.key'); END;"
	"CREATE TRIGGER app_key_changed BEFORE UPDATE OF key ON apps"
	" WHEN EXISTS (SELECT 1 FROM apps WHERE old_key = NEW.key"
	" AND old_until > unixepoch() AND num <> NEW.num)"
	" BEGIN SELECT RAISE(ABORT, 'apps.key'); END;"
	"PRAGMA user_version = 4;",
	/* Numbers of apps mean something only together with this. */
	"CREATE TABLE meta ("
	" name TEXT PRIMARY KEY,"
	" value TEXT NOT NULL"
	") STRICT;"
	"INSERT INTO meta VALUES ('uuid', lower(hex(randomblob(16))));"
	"PRAGMA user_version = 5;",
	/* Each new key is also compared with the old ones. */
	"CREATE INDEX apps_old_key ON apps (old_key);"
	"PRAGMA user_version = 6;",
	"ALTER TABLE apps ADD COLUMN resume INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE apps"
	" ADD COLUMN resume_bytes INTEGER NOT NULL DEFAULT 16777216;"
	"ALTER TABLE apps"
	" ADD COLUMN resume_time INTEGER NOT NULL DEFAULT 120;"
	"ALTER TABLE apps"
	" ADD COLUMN resume_client_events INTEGER NOT NULL DEFAULT 0;"
	"PRAGMA user_version = 7;",
	"ALTER TABLE apps ADD COLUMN compression INTEGER NOT NULL DEFAULT 1;"
	"PRAGMA user_version = 8;",
	"ALTER TABLE apps ADD COLUMN presence_grace INTEGER NOT NULL DEFAULT 0;"
	"PRAGMA user_version = 9;",
};

#define NEWEST ((int)nitems(steps))

static int
refuse_missing(const char *path, enum appdb_mode mode, char **why)
{
	struct stat st;
	char *dir = file_parent(path);

	if (stat(dir, &st) == -1)
		*why = xasprintf("the directory of the database %s cannot be "
				 "used: %s: make it, or change the option "
				 "database",
		    path, strerror(errno));
	else if (mode == APPDB_CREATE)
		*why = xasprintf(
		    "cannot make the database %s: %s", path, strerror(errno));
	else
		*why = xasprintf("there is no database %s: pusherd makes it "
				 "when it starts; or change the option "
				 "database",
		    path);
	free(dir);
	return -1;
}

/* The file holds secrets: only its owner may read or write it. */
static int
check_file(const char *path, enum appdb_mode mode, char **why)
{
	bool is_reader = mode == APPDB_READ || mode == APPDB_TRY;
	struct stat st;

	if (stat(path, &st) == -1) {
		if (errno == ENOENT || errno == ENOTDIR)
			return refuse_missing(path, mode, why);
		*why = xasprintf("cannot use the database %s: %s: run as root "
				 "or as the user of pusherd",
		    path, strerror(errno));
		return -1;
	}
	if (!S_ISREG(st.st_mode)) {
		*why = xasprintf("the database %s is not a regular file: "
				 "change the option database",
		    path);
		return -1;
	}
	if ((st.st_mode & 077) != 0 && !appdb_is_sqlite(path)) {
		*why = xasprintf(
		    "%s is no database: change the option database", path);
		return -1;
	}
	if ((st.st_mode & 077) != 0) {
		*why = xasprintf("the database %s holds secrets and others may "
				 "use it (mode %04o): chmod 600 %s",
		    path, st.st_mode & 07777, path);
		return -1;
	}
	if (access(path, is_reader ? R_OK : R_OK | W_OK) == -1) {
		*why = errno == EROFS
		    ? xasprintf("cannot write the database %s: its file system "
				"is read-only: mount it for writing",
			  path)
		    : xasprintf("cannot %s the database %s: %s: run as its "
				"owner (user id %u)",
			  is_reader ? "read" : "write", path, strerror(errno),
			  (unsigned)st.st_uid);
		return -1;
	}
	return 0;
}

/* Makes an empty file, so that it never has another mode. */
static int
create_file(const char *path, char **why)
{
	int fd;

	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd != -1) {
		close(fd);
		return 0;
	}
	if (errno == EEXIST)
		return 0;
	if (errno == ENOENT || errno == ENOTDIR)
		return refuse_missing(path, APPDB_CREATE, why);
	*why = xasprintf("cannot make the database %s: %s: its directory must "
			 "be writable",
	    path, strerror(errno));
	return -1;
}

/* The sentence for an SQLite error while opening. */
static int
refuse_sqlite(struct appdb *d, const char *path, char **why)
{
	switch (sqlite3_errcode(d->db)) {
	case SQLITE_NOTADB:
	case SQLITE_CORRUPT:
		*why = xasprintf(
		    "the database %s is damaged or not an SQLite file "
		    "(%s): restore it from a backup, or move it "
		    "away",
		    path, sqlite3_errmsg(d->db));
		break;
	case SQLITE_BUSY:
		*why = xasprintf("the database %s is busy with another "
				 "process: end that one (fuser names it), or "
				 "try again",
		    path);
		break;
	case SQLITE_READONLY:
	case SQLITE_CANTOPEN:
		*why = xasprintf("cannot write the database %s: its directory "
				 "must be writable too (%s)",
		    path, sqlite3_errmsg(d->db));
		break;
	default:
		*why = xasprintf("cannot use the database %s: %s", path,
		    sqlite3_errmsg(d->db));
		break;
	}
	return -1;
}

static int
run(struct appdb *d, const char *sql)
{
	return sqlite3_exec(d->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : -1;
}

/* The number from a pragma or a count, or -1. */
static int
ask_number(struct appdb *d, const char *sql)
{
	sqlite3_stmt *s;
	int n = -1;

	if (sqlite3_prepare_v2(d->db, sql, -1, &s, NULL) != SQLITE_OK)
		return -1;
	if (sqlite3_step(s) == SQLITE_ROW)
		n = sqlite3_column_int(s, 0);
	return sqlite3_finalize(s) == SQLITE_OK ? n : -1;
}

static int
connect_file(
    struct appdb *d, const char *path, enum appdb_mode mode, char **why)
{
	/*
	 * A reader, too, opens for writing (if it may): only then can it finish
	 * the rollback that a killed writer has left.
	 */
	const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
	bool is_reader = mode == APPDB_READ || mode == APPDB_TRY;

	if (sqlite3_open_v2(path, &d->db, flags, NULL) != SQLITE_OK) {
		if (d->db == NULL) {
			*why = xasprintf("no memory for the database %s", path);
			return -1;
		}
		return refuse_sqlite(d, path, why);
	}
	sqlite3_db_config(d->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(d->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	if (mode != APPDB_TRY)
		sqlite3_busy_timeout(
		    d->db, is_reader ? READ_WAIT_MS : WRITE_WAIT_MS);
	if (is_reader) {
		if (run(d, "PRAGMA query_only = ON") == -1)
			return refuse_sqlite(d, path, why);
	} else if (run(d,
		       "PRAGMA journal_mode = DELETE;"
		       "PRAGMA synchronous = FULL;"
		       "PRAGMA secure_delete = ON") == -1) {
		return refuse_sqlite(d, path, why);
	}
	return 0;
}

static int
refuse_version(const char *path, int version, char **why)
{
	if (version > NEWEST)
		*why = xasprintf("the database %s was made by a newer version "
				 "of pusherd (schema %d, this one knows %d): "
				 "install that version, or restore the backup "
				 "from before it",
		    path, version, NEWEST);
	else
		*why = xasprintf("the database %s has schema %d and not %d "
				 "yet: start pusherd, which brings it up to "
				 "date",
		    path, version, NEWEST);
	return -1;
}

/* A file without this schema must have no other one. */
static int
check_empty(struct appdb *d, const char *path, char **why)
{
	int tables = ask_number(d, "SELECT count(*) FROM sqlite_schema");

	if (tables < 0)
		return refuse_sqlite(d, path, why);
	if (tables == 0)
		return 0;
	*why = xasprintf("%s is a database of another program: change the "
			 "option database",
	    path);
	return -1;
}

/* Made once, together with the schema: 32 hex digits. */
static int
read_uuid(struct appdb *d)
{
	sqlite3_stmt *s;
	int r = -1;

	if (sqlite3_prepare_v2(d->db,
		"SELECT value FROM meta WHERE name = 'uuid'", -1, &s,
		NULL) != SQLITE_OK)
		return -1;
	if (sqlite3_step(s) == SQLITE_ROW &&
	    sqlite3_column_bytes(s, 0) == APPDB_UUID_LEN) {
		memcpy(d->uuid, sqlite3_column_text(s, 0), APPDB_UUID_LEN);
		r = 0;
	}
	sqlite3_finalize(s);
	return r;
}

/* In one transaction, so that two processes do not both take a step. */
static int
migrate(struct appdb *d, const char *path, char **why)
{
	int version;

	if (run(d, "BEGIN IMMEDIATE") == -1)
		return refuse_sqlite(d, path, why);
	version = ask_number(d, "PRAGMA user_version");
	if (version < 0)
		return refuse_sqlite(d, path, why);
	if (version > NEWEST)
		return refuse_version(path, version, why);
	if (version == 0 && check_empty(d, path, why) == -1)
		return -1;
	for (; version < NEWEST; version++)
		if (run(d, steps[version]) == -1)
			return refuse_sqlite(d, path, why);
	if (run(d, "COMMIT") == -1)
		return refuse_sqlite(d, path, why);
	return 0;
}

static int
check_schema(
    struct appdb *d, const char *path, enum appdb_mode mode, char **why)
{
	int version = ask_number(d, "PRAGMA user_version");

	if (version == -1)
		return refuse_sqlite(d, path, why);
	if (version > NEWEST ||
	    (version < NEWEST && (mode == APPDB_READ || mode == APPDB_TRY)))
		return refuse_version(path, version, why);
	if (version < NEWEST && migrate(d, path, why) == -1)
		return -1;
	if (read_uuid(d) == -1 || appdb_rows_prepare(d) == -1) {
		if (sqlite3_errcode(d->db) == SQLITE_BUSY)
			return refuse_sqlite(d, path, why);
		*why = xasprintf("%s is not a database of pusherd (%s): change "
				 "the option database",
		    path, sqlite3_errmsg(d->db));
		return -1;
	}
	return 0;
}

bool
appdb_is_ours(struct appdb *d)
{
	return ask_number(d, "PRAGMA user_version") == NEWEST &&
	    read_uuid(d) == 0 && appdb_rows_prepare(d) == 0;
}

struct appdb *
appdb_open(const char *path, enum appdb_mode mode, char **why)
{
	struct appdb *d;
	bool is_busy;

	if ((mode == APPDB_CREATE && create_file(path, why) == -1) ||
	    check_file(path, mode, why) == -1)
		return NULL;
	d = xcalloc(1, sizeof(*d));
	if (connect_file(d, path, mode, why) == 0 &&
	    check_schema(d, path, mode, why) == 0)
		return d;
	is_busy = appdb_is_busy(d);
	appdb_close(d);
	errno = is_busy ? EBUSY : EINVAL;
	return NULL;
}

void
appdb_on_busy(struct appdb *d, int (*wait)(void *arg, int n), void *arg)
{
	sqlite3_busy_handler(d->db, wait, arg);
}

void
appdb_close(struct appdb *d)
{
	if (d == NULL)
		return;
	appdb_rows_finalize(d);
	/* An open transaction is rolled back. */
	sqlite3_close(d->db);
	free(d->error);
	free(d);
}

const char *
appdb_uuid(const struct appdb *d)
{
	return d->uuid;
}

/* A start makes the file, and its directory when that is missing. */
static int
check_missing(const char *path, char **why)
{
	char *dir = file_parent(path), *above = file_parent(dir);
	struct stat st;
	bool gone = stat(dir, &st) == -1 && errno == ENOENT;
	int r = access(gone ? above : dir, W_OK | X_OK);

	if (r == -1)
		*why = xasprintf("cannot make the database %s: %s: its "
				 "directory must exist and be writable",
		    path, strerror(errno));
	free(above);
	free(dir);
	return r;
}

int
appdb_check(const char *path, char **why)
{
	struct appdb d = { 0 };
	struct stat st;
	int r, version;

	if (stat(path, &st) == -1 && errno == ENOENT)
		return check_missing(path, why);
	if (check_file(path, APPDB_WRITE, why) == -1)
		return -1;
	r = connect_file(&d, path, APPDB_READ, why);
	if (r == 0) {
		version = ask_number(&d, "PRAGMA user_version");
		if (version == -1)
			r = refuse_sqlite(&d, path, why);
		else if (version > NEWEST)
			r = refuse_version(path, version, why);
		else if (version == NEWEST)
			r = check_schema(&d, path, APPDB_READ, why);
		else if (version == 0)
			r = check_empty(&d, path, why);
	}
	appdb_rows_finalize(&d);
	sqlite3_close(d.db);
	return r;
}
