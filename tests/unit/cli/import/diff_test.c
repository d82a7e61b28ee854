/* SPDX-License-Identifier: MIT */
/* diff_test.c: what differs between two apps, and what is not told. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/import/diff.h"
#include "shared/app/app.h"
#include "shared/base/base.h"
#include "shared/base/buf.h"
#include "shared/base/xmalloc.h"

static void
on_change(void *arg, const char *setting, const char *from, const char *to)
{
	struct buf **b = arg;

	buf_printf(b, "%s:%s>%s;", setting, from == NULL ? "?" : from,
	    to == NULL ? "?" : to);
}

static void
fill(struct app *a)
{
	app_init(a);
	a->id = xstrdup("id");
	a->key = xstrdup("key");
	a->secret = xstrdup("the first secret");
	free(a->name);
	a->name = xstrdup("demo");
	a->enabled = 1;
}

/* value NULL: of the fields that are no settings, see below. */
static const struct {
	const char *setting, *value, *want;
} rows[] = {
	{ "client_events", "off", "" },
	{ "client_events", "on", "client_events:off>on;" },
	{ "max_connections", "4294967295", "max_connections:0>4294967295;" },
	{ "cache_ttl", "60", "cache_ttl:1800>60;" },
	{ "allowed_origins", "https://a.b", "allowed_origins:>https://a.b;" },
	{ "tls_only", "on", "tls_only:off>on;" },
};

static void
settings_differ(void **state)
{
	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		struct buf *b = NULL;
		struct app old, now;
		char *why = NULL;

		fill(&old);
		fill(&now);
		assert_int_equal(
		    app_set(&now, rows[i].setting, rows[i].value, &why), 0);
		assert_int_equal(import_diff(&old, &now, on_change, &b),
		    rows[i].want[0] != '\0');
		buf_putc(&b, '\0');
		assert_string_equal(b->data, rows[i].want);
		buf_unref(b);
		app_clear(&old);
		app_clear(&now);
	}
}

static void
credentials_first_and_no_secret(void **state)
{
	struct buf *b = NULL;
	struct app old, now;

	(void)state;
	fill(&old);
	fill(&now);
	old.old_key = xstrdup("before");
	old.old_secret = xstrdup("first");
	now.key[0] = 'K';
	now.secret[0] = 'T';
	now.name[0] = 'D';
	now.enabled = 0;
	now.max_event_bytes = 1;
	assert_int_equal(import_diff(&old, &now, on_change, &b), 6);
	buf_putc(&b, '\0');
	assert_string_equal(b->data,
	    "key:key>Key;secret:?>?;name:demo>Demo;enabled:on>off;"
	    "old_key:before>;max_event_bytes:10240>1;");
	assert_null(strstr(b->data, "first"));
	buf_unref(b);
	app_clear(&old);
	app_clear(&now);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(settings_differ),
		cmocka_unit_test(credentials_first_and_no_secret),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
