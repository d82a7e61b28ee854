/* SPDX-License-Identifier: MIT */
/* app_test.c: defaults, ranges and sentences of an app's settings. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shared/app/app.h"
#include "shared/base/base.h"
#include "shared/base/xmalloc.h"

static void
test_defaults(void **state)
{
	struct app a;

	app_init(&a);
	assert_null(a.id);
	assert_null(a.secret);
	assert_int_equal(a.num, 0);
	assert_int_equal(a.enabled, 1);
#define APP_UINT(field, def, min, max, help) assert_int_equal(a.field, def);
#define APP_BOOL(field, def, help) assert_int_equal(a.field, def);
#define APP_TEXT(field, def, help) assert_string_equal(a.field, def);
#include "shared/app/app_settings.def"
	app_clear(&a);
	assert_null(a.allowed_origins);
	app_clear(&a);
}

/* Every number takes both ends of its range and refuses what is beyond. */
static void
check_range(struct app *a, const char *name, const uint32_t *field,
    uint64_t min, uint64_t max)
{
	char text[32], *why = NULL;

	snprintf(text, sizeof(text), "%llu", (unsigned long long)min);
	assert_int_equal(app_set(a, name, text, &why), 0);
	assert_int_equal(*field, min);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)max);
	assert_int_equal(app_set(a, name, text, &why), 0);
	assert_int_equal(*field, max);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)max + 1);
	assert_int_equal(app_set(a, name, text, &why), -1);
	assert_non_null(strstr(why, name));
	assert_non_null(strstr(why, text));
	free(why);
	if (min > 0) {
		snprintf(
		    text, sizeof(text), "%llu", (unsigned long long)min - 1);
		assert_int_equal(app_set(a, name, text, &why), -1);
		free(why);
	}
	assert_int_equal(*field, max);
}

static void
check_switch(struct app *a, const char *name, const uint32_t *field)
{
	char *why = NULL;

	assert_int_equal(app_set(a, name, "on", &why), 0);
	assert_int_equal(*field, 1);
	assert_int_equal(app_set(a, name, "off", &why), 0);
	assert_int_equal(*field, 0);
	assert_int_equal(app_set(a, name, "maybe", &why), -1);
	assert_non_null(strstr(why, "on or off"));
	free(why);
	assert_int_equal(*field, 0);
}

static void
test_every_setting(void **state)
{
	char *why = NULL;
	struct app a;

	app_init(&a);
#define APP_UINT(field, def, min, max, help) \
	check_range(&a, #field, &a.field, min, max);
#define APP_BOOL(field, def, help) check_switch(&a, #field, &a.field);
#define APP_TEXT(field, def, help) \
	assert_int_equal(app_set(&a, #field, "some text", &why), 0); \
	assert_string_equal(a.field, "some text");
#include "shared/app/app_settings.def"
	app_clear(&a);
}

static void
test_refusals(void **state)
{
	static const struct {
		const char *name, *value, *sentence;
	} rows[] = {
		{ "cache_tll", "1",
		    "there is no app setting \"cache_tll\"; did you mean "
		    "cache_ttl?" },
		{ "frobnicate", "1",
		    "there is no app setting \"frobnicate\": pusherctl help "
		    "app set lists them" },
		{ "secret", "1",
		    "there is no app setting \"secret\": pusherctl help app "
		    "set lists them" },
		{ "cache_ttl", "",
		    "cache_ttl is \"\": must be a number from 1 to 86400" },
		{ "cache_ttl", "-1",
		    "cache_ttl is \"-1\": must be a number from 1 to 86400" },
		{ "cache_ttl", " 1",
		    "cache_ttl is \" 1\": must be a number from 1 to 86400" },
		{ "cache_ttl", "99999999999999999999999",
		    "cache_ttl is \"99999999999999999999999\": must be a "
		    "number from 1 to 86400" },
		{ "client_events", "yes",
		    "client_events is \"yes\": must be on or off" },
		{ "client_events", "On",
		    "client_events is \"On\": must be on or off" },
		{ "allowed_origins", "a\nb",
		    "allowed_origins must not have control characters" },
	};
	struct app a;
	size_t i;
	char *why;

	app_init(&a);
	for (i = 0; i < nitems(rows); i++) {
		why = NULL;
		assert_int_equal(
		    app_set(&a, rows[i].name, rows[i].value, &why), -1);
		assert_string_equal(why, rows[i].sentence);
		free(why);
	}
	assert_int_equal(a.cache_ttl, 1800);
	assert_string_equal(a.allowed_origins, "");
	app_clear(&a);
}

static void
test_text_bound(void **state)
{
	char *text = xmalloc(8194), *why = NULL;
	struct app a;

	app_init(&a);
	memset(text, 'a', 8193);
	text[8193] = '\0';
	assert_int_equal(app_set(&a, "allowed_origins", text, &why), -1);
	assert_non_null(strstr(why, "8193"));
	free(why);
	text[8192] = '\0';
	assert_int_equal(app_set(&a, "allowed_origins", text, &why), 0);
	assert_int_equal(strlen(a.allowed_origins), 8192);
	free(text);
	app_clear(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_every_setting),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_text_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
