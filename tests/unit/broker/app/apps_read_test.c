/* SPDX-License-Identifier: MIT */
/* apps_read.c: the copy of the database is that of the apps in force. */

#include "tests/unit/shared/app/appdb_place.h"

#include <stdbool.h>

#include "broker/app/apps.h"
#include "broker/app/apps_read.h"
#include "shared/proc/snapshot.h"
#include "tests/unit/broker/links.h"

struct case_of {
	struct links *l;
	struct inherit inherit;
	struct broker_apps_ops ops;
};

static sqlite3 *other; /* another process that uses the database */
static bool locks;     /* between the reading and the copy */

static int
on_read(struct broker *br, struct appdb *db)
{
	if (locks)
		assert_int_equal(
		    sqlite3_exec(other, "BEGIN EXCLUSIVE", NULL, NULL, NULL),
		    SQLITE_OK);
	return 0;
}

static void
unlock(void)
{
	locks = false;
	assert_int_equal(
	    sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
}

static void
begin(struct case_of *c, struct place *p)
{
	appdb_close(open_or_fail(p->path, APPDB_CREATE));
	assert_int_equal(sqlite3_open(p->path, &other), SQLITE_OK);
	c->l = links_new(NULL);
	apps_replace(&c->l->br, NULL, 0); /* its number is for another one */
	links_release_apps(c->l);
	free(c->l->conf.database);
	c->l->conf.database = xstrdup(p->path);
	c->inherit = (struct inherit){ .apps = snapshot_map() };
	assert_non_null(c->inherit.apps);
	c->l->br.inherit = &c->inherit;
	c->ops = *c->l->br.apps->ops;
	c->ops.read = on_read;
	c->l->br.apps->ops = &c->ops;
}

static void
end(struct case_of *c)
{
	c->l->br.inherit = NULL;
	links_free(c->l);
	snapshot_unmap(c->inherit.apps);
	assert_int_equal(sqlite3_close(other), SQLITE_OK);
}

static void
add(const struct place *p, const char *id)
{
	struct appdb *db = open_or_fail(p->path, APPDB_WRITE);

	insert(db, id, id, id);
	appdb_close(db);
}

static void
read_now(struct case_of *c)
{
	char *why = NULL;

	assert_int_equal(apps_read(&c->l->br, &why), 0);
	assert_null(why);
}

/* How many apps the next broker would find. */
static size_t
copied(const struct case_of *c)
{
	struct str image = snapshot_get(c->inherit.apps);
	struct appdb *db = appdb_open_image(image.p, image.n);
	struct seen seen = { .n = 0 };

	assert_non_null(db);
	assert_int_equal(appdb_each(db, see, &seen), 0);
	appdb_close(db);
	return seen.n;
}

static void
a_copy_that_failed_is_made_by_itself(void **state)
{
	struct place *p = *state;
	struct case_of c;

	begin(&c, p);
	add(p, "a");
	read_now(&c);
	assert_int_equal(copied(&c), 1);
	add(p, "b");
	locks = true;
	read_now(&c);
	assert_int_equal(c.l->br.apps->n, 2);
	assert_int_equal(copied(&c), 1);
	for (int i = 0; i < 3; i++) { /* still locked: all stay */
		apps_try(&c.l->br);
		assert_int_equal(c.l->br.apps->n, 2);
		assert_int_equal(copied(&c), 1);
	}
	unlock();
	apps_try(&c.l->br);
	assert_int_equal(copied(&c), 2);
	assert_int_equal(c.l->br.apps->n, 2);
	end(&c);
}

static void
nothing_is_tried_after_a_success(void **state)
{
	struct place *p = *state;
	struct case_of c;

	begin(&c, p);
	add(p, "a");
	read_now(&c);
	add(p, "b"); /* nobody has told the broker */
	apps_try(&c.l->br);
	assert_int_equal(c.l->br.apps->n, 1);
	assert_int_equal(copied(&c), 1);
	end(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_copy_that_failed_is_made_by_itself),
		TEST(nothing_is_tried_after_a_success),
	};

	hash_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
