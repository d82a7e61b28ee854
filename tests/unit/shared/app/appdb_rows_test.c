/* SPDX-License-Identifier: MIT */
/* appdb_rows_test.c: the rows of the apps: written, found, changed, refused. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <time.h>

#include "tests/unit/shared/app/appdb_place.h"

static void
test_every_field_round_trips(void **state)
{
	struct place *p = *state;
	struct app a, b;
	struct appdb *d;
	uint32_t n = 1;

	make_app(&a, "id", "key", "na'me \xf0\x9f\x98\x80");
	a.enabled = 0;
#define APP_UINT(field, def, min, max, help) \
	a.field = n++ % 2 != 0 ? (uint32_t)(max) : (uint32_t)(min);
#define APP_BOOL(field, def, help) a.field = n++ % 2;
#define APP_TEXT(field, def, help) \
	free(a.field); \
	a.field = xstrdup("https://*.example.com http://x");
#include "shared/app/app_settings.def"
#include "shared/base/base.h"
	d = open_or_fail(p->path, APPDB_CREATE);
	if (appdb_insert(d, &a) == -1)
		fail_msg("%s", appdb_error(d));
	assert_int_equal(a.num, 1);
	appdb_close(d);
	d = open_or_fail(p->path, APPDB_READ);
	assert_int_equal(appdb_find(d, "id", &b), 1);
	assert_int_equal(b.num, a.num);
	assert_string_equal(b.id, a.id);
	assert_string_equal(b.key, a.key);
	assert_string_equal(b.secret, a.secret);
	assert_string_equal(b.name, a.name);
	assert_int_equal(b.enabled, 0);
#define APP_UINT(field, def, min, max, help) assert_int_equal(a.field, b.field);
#define APP_BOOL(field, def, help) assert_int_equal(a.field, b.field);
#define APP_TEXT(field, def, help) assert_string_equal(a.field, b.field);
#include "shared/app/app_settings.def"
	app_clear(&a);
	app_clear(&b);
	appdb_close(d);
}

/* The key before the last one: found while it counts; then only its name. */
static void
test_old_key(void **state)
{
	struct place *p = *state;
	struct app a, b;
	struct appdb *d = open_or_fail(p->path, APPDB_CREATE);

	make_app(&a, "id", "new", "one");
	a.old_key = xstrdup("old");
	a.old_secret = xstrdup("old secret");
	a.old_until = (uint64_t)time(NULL) + 1000;
	assert_int_equal(appdb_insert(d, &a), 0);
	assert_int_equal(appdb_find(d, "old", &b), 1);
	assert_string_equal(b.key, "new");
	assert_string_equal(b.old_secret, "old secret");
	assert_int_equal(b.old_until, a.old_until);
	app_clear(&b);
	make_app(&b, "id2", "old", "two");
	assert_int_equal(appdb_insert(d, &b), -1);
	assert_non_null(strstr(appdb_error(d), "this key already"));
	a.old_until = 1;
	assert_int_equal(appdb_update(d, &a), 0);
	assert_int_equal(appdb_insert(d, &b), 0);
	app_clear(&b);
	assert_int_equal(appdb_find(d, "id", &b), 1);
	assert_string_equal(b.old_key, "old");
	assert_null(b.old_secret);
	assert_int_equal(b.old_until, 1);
	assert_true(app_key_has_ended(&b, S("old"), 1));
	assert_false(app_key_has_ended(&b, S("old"), 0));
	assert_false(app_key_has_ended(&b, S("new"), 1));
	app_clear(&b);
	/* Nor may a key become what is another's old one. */
	a.old_until = (uint64_t)time(NULL) + 1000;
	free(a.old_key);
	a.old_key = xstrdup("older");
	assert_int_equal(appdb_update(d, &a), 0);
	assert_int_equal(appdb_find(d, "id2", &b), 1);
	free(b.key);
	b.key = xstrdup("older");
	assert_int_equal(appdb_update(d, &b), -1);
	app_clear(&a);
	app_clear(&b);
	appdb_close(d);
}

static void
test_find(void **state)
{
	static const struct {
		const char *which;
		int found;
		uint32_t num;
	} rows[] = {
		{ "one", 1, 1 },  /* an id first, although it is a name too */
		{ "k2", 1, 2 },   /* a key */
		{ "shop", 0, 0 }, /* a name, but of two */
		{ "blog", 1, 4 }, /* a name of one */
		{ "", 0, 0 },     /* not the one without a name */
		{ "nobody", 0, 0 },
		{ "' OR 1=1 --", 0, 0 },
		{ "%", 0, 0 },
	};
	struct place *p = *state;
	struct appdb *d;
	struct app a;
	size_t i;

	d = open_or_fail(p->path, APPDB_CREATE);
	insert(d, "one", "k1", "");
	insert(d, "two", "k2", "shop");
	insert(d, "three", "k3", "shop");
	insert(d, "four", "k4", "blog");
	insert(d, "five", "k5", "one");
	for (i = 0; i < nitems(rows); i++) {
		assert_int_equal(
		    appdb_find(d, rows[i].which, &a), rows[i].found);
		if (rows[i].found != 1)
			continue;
		assert_int_equal(a.num, rows[i].num);
		app_clear(&a);
	}
	appdb_close(d);
}

static void
test_each_and_numbers_are_never_used_again(void **state)
{
	struct place *p = *state;
	struct seen s = { .stop_after = 8 };
	struct appdb *d;

	d = open_or_fail(p->path, APPDB_CREATE);
	assert_int_equal(appdb_each(d, see, &s), 0);
	assert_int_equal(s.n, 0);
	insert(d, "a", "ka", "");
	insert(d, "b", "kb", "");
	insert(d, "c", "kc", "");
	assert_int_equal(appdb_delete(d, 3), 0);
	assert_int_equal(appdb_delete(d, 3), -1);
	assert_non_null(strstr(appdb_error(d), "no app with the number 3"));
	insert(d, "c", "kc", "");
	assert_int_equal(appdb_each(d, see, &s), 0);
	assert_int_equal(s.n, 3);
	assert_int_equal(s.nums[0], 1);
	assert_int_equal(s.nums[1], 2);
	assert_int_equal(s.nums[2], 4);
	s = (struct seen){ .stop_after = 2 };
	assert_int_equal(appdb_each(d, see, &s), 0);
	assert_int_equal(s.n, 2);
	appdb_close(d);
}

static void
test_update_and_conflicts(void **state)
{
	struct place *p = *state;
	struct appdb *d;
	struct app a;

	d = open_or_fail(p->path, APPDB_CREATE);
	insert(d, "a", "ka", "");
	make_app(&a, "a", "kb", "");
	assert_int_equal(appdb_insert(d, &a), -1);
	assert_string_equal(appdb_error(d), "another app has this id already");
	app_clear(&a);
	make_app(&a, "b", "ka", "");
	assert_int_equal(appdb_insert(d, &a), -1);
	assert_string_equal(appdb_error(d), "another app has this key already");
	app_clear(&a);
	assert_int_equal(appdb_find(d, "a", &a), 1);
	a.cache_ttl = 5;
	a.enabled = 0;
	assert_int_equal(appdb_update(d, &a), 0);
	app_clear(&a);
	assert_int_equal(appdb_find(d, "ka", &a), 1);
	assert_int_equal(a.cache_ttl, 5);
	assert_int_equal(a.enabled, 0);
	a.num = 77;
	assert_int_equal(appdb_update(d, &a), -1);
	assert_non_null(strstr(appdb_error(d), "77"));
	app_clear(&a);
	appdb_close(d);
}

static void
test_transactions(void **state)
{
	struct place *p = *state;
	struct seen s = { .stop_after = 8 };
	struct appdb *d;

	d = open_or_fail(p->path, APPDB_CREATE);
	assert_int_equal(appdb_begin(d), 0);
	insert(d, "a", "ka", "");
	appdb_rollback(d);
	appdb_rollback(d);
	assert_int_equal(appdb_begin(d), 0);
	insert(d, "b", "kb", "");
	assert_int_equal(appdb_commit(d), 0);
	assert_int_equal(appdb_each(d, see, &s), 0);
	assert_int_equal(s.n, 1);
	appdb_close(d);
}

static void
test_bad_row(void **state)
{
	struct place *p = *state;
	struct seen s = { .stop_after = 8 };
	struct appdb *d;
	struct app a;

	d = open_or_fail(p->path, APPDB_CREATE);
	insert(d, "a", "ka", "");
	insert(d, "b", "kb", "");
	appdb_close(d);
	raw_sql(p->path, "UPDATE apps SET cache_ttl = 0 WHERE num = 2");
	d = open_or_fail(p->path, APPDB_READ);
	assert_int_equal(appdb_each(d, see, &s), -1);
	assert_string_equal(appdb_error(d),
	    "the row 2 of the table apps: cache_ttl is out of range");
	assert_int_equal(appdb_find(d, "b", &a), -1);
	assert_int_equal(appdb_find(d, "a", &a), 1);
	app_clear(&a);
	appdb_close(d);
	raw_sql(p->path,
	    "UPDATE apps SET cache_ttl = 1, name = "
	    "CAST(x'610062' AS TEXT) WHERE num = 2");
	d = open_or_fail(p->path, APPDB_READ);
	assert_int_equal(appdb_find(d, "b", &a), -1);
	assert_string_equal(
	    appdb_error(d), "the row 2 of the table apps: name is no text");
	appdb_close(d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_every_field_round_trips),
		TEST(test_old_key),
		TEST(test_find),
		TEST(test_each_and_numbers_are_never_used_again),
		TEST(test_update_and_conflicts),
		TEST(test_transactions),
		TEST(test_bad_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
