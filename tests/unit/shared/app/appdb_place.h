/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_SHARED_APP_APPDB_PLACE_H
#define TESTS_UNIT_SHARED_APP_APPDB_PLACE_H

/* A directory with a database of apps in it, for each test a new one. */

#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "shared/app/appdb.h"
#include "shared/base/xmalloc.h"

struct place {
	char dir[64];
	char *path;
};

static inline int
setup(void **state)
{
	struct place *p = xcalloc(1, sizeof(*p));

	snprintf(p->dir, sizeof(p->dir), "/tmp/appdb_test.XXXXXX");
	if (mkdtemp(p->dir) == NULL)
		return -1;
	p->path = xasprintf("%s/apps.db", p->dir);
	*state = p;
	return 0;
}

static inline int
teardown(void **state)
{
	struct place *p = *state;
	int r;

	unlink(p->path);
	r = rmdir(p->dir); /* fails when a journal was left behind */
	free(p->path);
	free(p);
	return r;
}

static inline struct appdb *
open_or_fail(const char *path, enum appdb_mode mode)
{
	char *why = NULL;
	struct appdb *d = appdb_open(path, mode, &why);

	if (d == NULL)
		fail_msg("%s", why);
	return d;
}

/* Opening must fail with a sentence that has these words. */
static inline void
refused(const char *path, enum appdb_mode mode, const char *words)
{
	char *why = NULL;

	assert_null(appdb_open(path, mode, &why));
	assert_non_null(why);
	assert_non_null(strstr(why, path));
	if (strstr(why, words) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", words, why);
	free(why);
}

static inline void
raw_sql(const char *path, const char *sql)
{
	char *message = NULL;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
		fail_msg("%s", message);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static inline void
make_app(struct app *a, const char *id, const char *key, const char *name)
{
	app_init(a);
	a->id = xstrdup(id);
	a->key = xstrdup(key);
	a->secret = xstrdup("shh");
	a->name = xstrdup(name);
}

static inline void
insert(struct appdb *d, const char *id, const char *key, const char *name)
{
	struct app a;

	make_app(&a, id, key, name);
	if (appdb_insert(d, &a) == -1)
		fail_msg("%s", appdb_error(d));
	app_clear(&a);
}

struct seen {
	uint32_t nums[8];
	size_t n, stop_after;
};

static inline int
see(void *arg, const struct app *a)
{
	struct seen *s = arg;

	s->nums[s->n++] = a->num;
	return s->n == s->stop_after;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
