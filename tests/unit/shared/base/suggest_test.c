/* SPDX-License-Identifier: MIT */
/* suggest_test.c: which name is meant by a mistyped word. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/base/base.h"
#include "shared/base/suggest.h"

static const char *const names[] = { "listen", "workers", "log_level",
	"log_format", "user" };

static void
test_nearest(void **state)
{
	static const struct {
		const char *word, *want;
	} rows[] = {
		{ "listen", "listen" },
		{ "worker", "workers" },
		{ "wrokers", "workers" },
		{ "log_levl", "log_level" },
		{ "loglevel", "log_level" },
		{ "log-format", "log_format" },
		{ "usr", "user" },
		{ "suer", "user" },
		{ "", NULL },
		{ "x", NULL },
		{ "database", NULL },
		{ "listenlistenlistenlistenlistenlistenlistenlistenlisten",
		    NULL },
	};
	const char *got;
	size_t i;

	for (i = 0; i < nitems(rows); i++) {
		got =
		    suggest_nearest(str_of(rows[i].word), names, nitems(names));
		if (rows[i].want == NULL)
			assert_null(got);
		else
			assert_string_equal(
			    got == NULL ? "nothing" : got, rows[i].want);
	}
}

static void
test_no_names(void **state)
{
	assert_null(suggest_nearest(S("listen"), NULL, 0));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nearest),
		cmocka_unit_test(test_no_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
