/* SPDX-License-Identifier: MIT */
/*
 * appdb_test.c: the file of the apps: its schema, who may use it, how readers
 * and writers meet, and every way in which it can be the wrong file.
 */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "tests/unit/shared/app/appdb_place.h"

struct column {
	const char *name, *type, *def;
};

/* The columns that app_settings.def asks for. */
static const struct column wanted[] = {
	{ "num", "INTEGER", NULL },
	{ "id", "TEXT", NULL },
	{ "key", "TEXT", NULL },
	{ "secret", "TEXT", NULL },
	{ "name", "TEXT", "''" },
	{ "enabled", "INTEGER", "1" },
	{ "old_key", "TEXT", "''" },
	{ "old_secret", "TEXT", "''" },
	{ "old_until", "INTEGER", "0" },
#define APP_UINT(field, def, min, max, help) { #field, "INTEGER", #def },
#define APP_BOOL(field, def, help) { #field, "INTEGER", #def },
#define APP_TEXT(field, def, help) { #field, "TEXT", "'" def "'" },
#include "shared/app/app_settings.def"
#include "shared/base/base.h"
	{ "created_at", "INTEGER", "unixepoch()" },
};

static void
test_schema_is_the_list(void **state)
{
	struct place *p = *state;
	const struct column *w;
	const char *def;
	sqlite3_stmt *s;
	sqlite3 *db;
	size_t n = 0;

	appdb_close(open_or_fail(p->path, APPDB_CREATE));
	assert_int_equal(sqlite3_open(p->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db,
			     "SELECT name, type, \"notnull\", dflt_value, pk "
			     "FROM pragma_table_info('apps') ORDER BY cid",
			     -1, &s, NULL),
	    SQLITE_OK);
	while (sqlite3_step(s) == SQLITE_ROW) {
		/* Later steps add columns behind created_at. */
		for (w = wanted; w < wanted + nitems(wanted); w++)
			if (strcmp(w->name,
				(const char *)sqlite3_column_text(s, 0)) == 0)
				break;
		assert_true(w < wanted + nitems(wanted));
		assert_string_equal(sqlite3_column_text(s, 1), w->type);
		assert_int_equal(sqlite3_column_int(s, 2), n == 0 ? 0 : 1);
		def = (const char *)sqlite3_column_text(s, 3);
		if (w->def == NULL)
			assert_null(def);
		else
			assert_string_equal(def, w->def);
		assert_int_equal(sqlite3_column_int(s, 4), n == 0 ? 1 : 0);
		n++;
	}
	assert_int_equal(n, nitems(wanted));
	sqlite3_finalize(s);
	sqlite3_close(db);
}

static void
test_create_is_private_and_repeatable(void **state)
{
	struct place *p = *state;
	mode_t mask = umask(0);
	struct appdb *d;
	struct stat st;

	refused(p->path, APPDB_READ, "there is no database");
	refused(p->path, APPDB_WRITE, "there is no database");
	d = open_or_fail(p->path, APPDB_CREATE);
	insert(d, "1", "k1", "one");
	appdb_close(d);
	umask(mask);
	assert_int_equal(stat(p->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	d = open_or_fail(p->path, APPDB_CREATE);
	insert(d, "2", "k2", "two");
	appdb_close(d);
}

static void
test_others_may_read(void **state)
{
	static const mode_t modes[] = { 0640, 0604, 0660, 0601, 0620 };
	struct place *p = *state;
	char *why = NULL;
	size_t i;

	appdb_close(open_or_fail(p->path, APPDB_CREATE));
	for (i = 0; i < nitems(modes); i++) {
		assert_int_equal(chmod(p->path, modes[i]), 0);
		refused(p->path, APPDB_READ, "chmod 600 /tmp");
		refused(p->path, APPDB_WRITE, "chmod 600 /tmp");
		refused(p->path, APPDB_CREATE, "chmod 600 /tmp");
		assert_int_equal(appdb_check(p->path, &why), -1);
		free(why);
	}
}

static void
test_newer_version(void **state)
{
	struct place *p = *state;
	char *why = NULL;

	appdb_close(open_or_fail(p->path, APPDB_CREATE));
	assert_int_equal(appdb_check(p->path, &why), 0);
	raw_sql(p->path, "PRAGMA user_version = 10");
	refused(p->path, APPDB_READ, "newer version of pusherd (schema 10");
	refused(p->path, APPDB_WRITE, "newer version of pusherd (schema 10");
	refused(p->path, APPDB_CREATE, "newer version of pusherd (schema 10");
	assert_int_equal(appdb_check(p->path, &why), -1);
	assert_non_null(strstr(why, "newer version"));
	free(why);
}

/* Each older schema, with an app in it, becomes the newest one. */
static void
test_older_versions(void **state)
{
	static const char *const back[] = {
		"ALTER TABLE apps DROP COLUMN presence_grace;"
		"PRAGMA user_version = 8",
		"ALTER TABLE apps DROP COLUMN compression;"
		"PRAGMA user_version = 7",
		"ALTER TABLE apps DROP COLUMN resume;"
		"ALTER TABLE apps DROP COLUMN resume_bytes;"
		"ALTER TABLE apps DROP COLUMN resume_time;"
		"ALTER TABLE apps DROP COLUMN resume_client_events;"
		"PRAGMA user_version = 6",
		"DROP INDEX apps_old_key; PRAGMA user_version = 5",
		"DROP TABLE meta; PRAGMA user_version = 4",
		"DROP TRIGGER app_key_inserted;"
		"DROP TRIGGER app_key_changed;"
		"ALTER TABLE apps DROP COLUMN old_key;"
		"ALTER TABLE apps DROP COLUMN old_secret;"
		"ALTER TABLE apps DROP COLUMN old_until;"
		"PRAGMA user_version = 3",
		"ALTER TABLE apps DROP COLUMN max_messages_per_second;"
		"ALTER TABLE apps DROP COLUMN max_user_id_length;"
		"ALTER TABLE apps DROP COLUMN max_watchlist_ids;"
		"ALTER TABLE apps DROP COLUMN max_timestamp_age;"
		"PRAGMA user_version = 2",
		"DROP TRIGGER app_deleted; DROP TABLE webhooks;"
		"ALTER TABLE apps DROP COLUMN webhook_allow_private;"
		"PRAGMA user_version = 1",
	};
	struct place *p = *state;
	struct appdb *d;
	struct app a;
	char *why = NULL;

	for (size_t steps = 1; steps <= nitems(back); steps++) {
		unlink(p->path);
		d = open_or_fail(p->path, APPDB_CREATE);
		insert(d, "1", "k1", "one");
		appdb_close(d);
		for (size_t i = 0; i < steps; i++)
			raw_sql(p->path, back[i]);
		refused(p->path, APPDB_READ, "and not 9 yet: start pusherd");
		assert_int_equal(appdb_check(p->path, &why), 0);
		d = open_or_fail(p->path, APPDB_WRITE);
		assert_int_equal(appdb_find(d, "k1", &a), 1);
		assert_string_equal(a.id, "1");
		assert_null(a.old_key);
		assert_int_equal(a.old_until, 0);
		app_clear(&a);
		appdb_close(d);
		appdb_close(open_or_fail(p->path, APPDB_READ));
	}
}

static void
t2_each_database_has_its_uuid(void **state)
{
	struct place *p = *state;
	char first[APPDB_UUID_LEN + 1];
	struct appdb *d = open_or_fail(p->path, APPDB_CREATE);

	assert_int_equal(strlen(appdb_uuid(d)), APPDB_UUID_LEN);
	assert_int_equal(
	    strspn(appdb_uuid(d), "0123456789abcdef"), APPDB_UUID_LEN);
	memcpy(first, appdb_uuid(d), sizeof(first));
	appdb_close(d);
	d = open_or_fail(p->path, APPDB_READ);
	assert_string_equal(appdb_uuid(d), first);
	appdb_close(d);
	unlink(p->path);
	d = open_or_fail(p->path, APPDB_CREATE);
	assert_string_not_equal(appdb_uuid(d), first);
	appdb_close(d);
}

static void
test_not_ours(void **state)
{
	struct place *p = *state;
	char *why = NULL;

	raw_sql(p->path, "CREATE TABLE t (a)");
	chmod(p->path, 0600);
	refused(p->path, APPDB_CREATE, "database of another program");
	refused(p->path, APPDB_WRITE, "database of another program");
	assert_int_equal(appdb_check(p->path, &why), -1);
	free(why);
	raw_sql(p->path, "PRAGMA user_version = 9");
	refused(p->path, APPDB_CREATE, "not a database of pusherd");
	refused(p->path, APPDB_READ, "not a database of pusherd");
	assert_int_equal(appdb_check(p->path, &why), -1);
	free(why);
}

static void
test_damaged(void **state)
{
	struct place *p = *state;
	char *why = NULL;
	FILE *f = fopen(p->path, "w");

	assert_non_null(f);
	fputs("this is a text file and not a database, whatever its name is; "
	      "it is long enough to be looked at\n",
	    f);
	fclose(f);
	chmod(p->path, 0600);
	refused(p->path, APPDB_READ, "damaged or not an SQLite file");
	refused(p->path, APPDB_CREATE, "damaged or not an SQLite file");
	assert_int_equal(appdb_check(p->path, &why), -1);
	free(why);
	/* Nobody is told to change the mode of such a file. */
	chmod(p->path, 0644);
	refused(p->path, APPDB_CREATE, "is no database: change the option");
}

static void
test_empty_file(void **state)
{
	struct place *p = *state;
	char *why = NULL;

	close(open(p->path, O_CREAT | O_WRONLY, 0600));
	refused(p->path, APPDB_READ, "start pusherd");
	assert_int_equal(appdb_check(p->path, &why), 0);
	appdb_close(open_or_fail(p->path, APPDB_CREATE));
	appdb_close(open_or_fail(p->path, APPDB_READ));
}

static void
test_no_regular_file(void **state)
{
	struct place *p = *state;
	char *why = NULL;

	refused(p->dir, APPDB_READ, "not a regular file");
	refused(p->dir, APPDB_CREATE, "not a regular file");
	refused("/nonexistent/x.db", APPDB_CREATE, "directory");
	refused("/nonexistent/x.db", APPDB_READ, "directory");
	assert_int_equal(appdb_check("/nonexistent/y/x.db", &why), -1);
	free(why);
	assert_int_equal(appdb_check(p->path, &why), 0);
}

static void
test_reader_cannot_write(void **state)
{
	struct place *p = *state;
	struct appdb *d;
	struct app a;

	appdb_close(open_or_fail(p->path, APPDB_CREATE));
	d = open_or_fail(p->path, APPDB_READ);
	make_app(&a, "a", "ka", "");
	assert_int_equal(appdb_insert(d, &a), -1);
	app_clear(&a);
	appdb_close(d);
}

static void
test_busy(void **state)
{
	struct place *p = *state;
	struct seen s = { .stop_after = 8 };
	struct appdb *d, *reader;

	d = open_or_fail(p->path, APPDB_CREATE);
	reader = open_or_fail(p->path, APPDB_READ);
	assert_int_equal(appdb_begin(d), 0);
	insert(d, "a", "ka", "");
	/* A change that is not committed is not seen, and blocks nobody. */
	assert_int_equal(appdb_each(reader, see, &s), 0);
	assert_int_equal(s.n, 0);
	assert_int_equal(appdb_commit(d), 0);
	assert_int_equal(appdb_each(reader, see, &s), 0);
	assert_int_equal(s.n, 1);
	appdb_close(reader);
	appdb_close(d);
}

/* A writer that is killed leaves a journal; a reader finishes it. */
static void
test_killed_writer(void **state)
{
	struct place *p = *state;
	struct seen s = { .stop_after = 8 };
	char *journal = xasprintf("%s-journal", p->path);
	struct appdb *d;
	sqlite3 *db;
	int status;
	pid_t pid;

	d = open_or_fail(p->path, APPDB_CREATE);
	insert(d, "a", "ka", "");
	appdb_close(d);
	pid = fork();
	if (pid == 0) {
		/* A cache of one page spills the change into the file. */
		if (sqlite3_open(p->path, &db) == SQLITE_OK)
			sqlite3_exec(db,
			    "PRAGMA cache_size = 1; BEGIN IMMEDIATE;"
			    "WITH RECURSIVE c(x) AS (VALUES(1) UNION ALL "
			    "SELECT x + 1 FROM c WHERE x < 5000) "
			    "INSERT INTO apps (id, key, secret) "
			    "SELECT 'i' || x, 'k' || x, 's' FROM c;",
			    NULL, NULL, NULL);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(access(journal, F_OK), 0);
	d = open_or_fail(p->path, APPDB_READ);
	assert_int_equal(appdb_each(d, see, &s), 0);
	assert_int_equal(s.n, 1);
	appdb_close(d);
	assert_int_equal(access(journal, F_OK), -1);
	free(journal);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_schema_is_the_list),
		TEST(test_create_is_private_and_repeatable),
		TEST(test_others_may_read),
		TEST(test_newer_version),
		TEST(test_older_versions),
		TEST(t2_each_database_has_its_uuid),
		TEST(test_not_ours),
		TEST(test_damaged),
		TEST(test_empty_file),
		TEST(test_no_regular_file),
		TEST(test_reader_cannot_write),
		TEST(test_busy),
		TEST(test_killed_writer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
