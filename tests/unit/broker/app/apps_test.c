/* SPDX-License-Identifier: MIT */
/* apps.c: an app is found by its id, whatever the database has become. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "broker/app/apps.h"
#include "tests/unit/broker/links.h"

#define APPS 4

/* The database has app i with this id; NULL: it has none. */
static void
replace_once(struct links *l, const char *const ids[APPS])
{
	struct app v[APPS];
	size_t n = 0;

	for (uint32_t i = 0; i < APPS; i++) {
		if (ids[i] == NULL)
			continue;
		app_init(&v[n]);
		v[n].num = i + 1;
		v[n].id = xstrdup(ids[i]);
		v[n].key = xasprintf("key of %s", ids[i]);
		v[n].secret = xstrdup("secret");
		v[n].name = xstrdup("name");
		v[n++].enabled = 1;
	}
	apps_replace(&l->br, v, n);
	while (n > 0)
		app_clear(&v[--n]);
}

/* The same, and nothing is left of the deleted ones. */
static void
replace(struct links *l, const char *const ids[APPS])
{
	replace_once(l, ids);
	links_release_apps(l);
	replace_once(l, ids);
	assert_int_equal(l->br.apps->waits, 0);
}

static uint32_t
number_of(const struct links *l, const char *id)
{
	const struct broker_app *a = apps_find_id(&l->br, str_of(id));

	return a == NULL ? 0 : a->app.num;
}

static void
an_app_is_found_by_its_id(void **state)
{
	static const char *const names[] = { "a", "b", "c", "ab", "" };
	static const char *const steps[][APPS] = { { "a", "b", "c", NULL },
		{ "b", "a", "c", NULL },    /* two are exchanged */
		{ "b", "a", NULL, NULL },   /* one is deleted */
		{ "b", "ab", "c", "a" },    /* it is back, one has a new id */
		{ "b", "ab", "c", "a" },    /* nothing is new */
		{ NULL, NULL, NULL, NULL }, /* all are deleted */
		{ NULL, "a", NULL, "b" } };
	struct links *l = links_new(NULL);

	for (size_t i = 0; i < nitems(steps); i++) {
		replace(l, steps[i]);
		for (size_t k = 0; k < nitems(names); k++) {
			uint32_t want = 0;

			for (uint32_t n = 0; n < APPS; n++)
				if (steps[i][n] != NULL &&
				    strcmp(steps[i][n], names[k]) == 0)
					want = n + 1;
			assert_int_equal(number_of(l, names[k]), want);
		}
	}
	links_free(l);
}

/* A number is given to another app when nothing of the former one is left. */
static void
a_number_waits_for_its_former_app(void **state)
{
	static const char *const before[APPS] = { "a", "b" };
	static const char *const after[APPS] = { "other", "b" };
	struct links *l = links_new(NULL);
	struct broker_app *a;

	(void)state;
	replace(l, before);
	SEND(l, 0, sub, .app = 1, .sid = 1, .channel = S("room"));
	for (int left = 3; left > 0; left--) {
		replace_once(l, after);
		assert_int_equal(number_of(l, "a"), 0);
		assert_int_equal(number_of(l, "other"), 0);
		assert_int_equal(l->br.apps->waits, 1);
		assert_true(apps_is_deleted(&l->br, 1));
		a = apps_lookup(&l->br, 1);
		assert_string_equal(a->app.id, "a");
		if (left == 3)
			a->keep_until = 0;
		else if (left == 2)
			SEND(l, 0, unsub, .app = 1, .sid = 1,
			    .channel = S("room"));
		else
			a->ping = 0;
		apps_expire(&l->br);
	}
	replace_once(l, after);
	assert_int_equal(number_of(l, "other"), 1);
	assert_int_equal(l->br.apps->waits, 0);
	links_free(l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_app_is_found_by_its_id),
		cmocka_unit_test(a_number_waits_for_its_former_app),
	};

	hash_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
