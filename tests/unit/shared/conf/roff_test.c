/* SPDX-License-Identifier: MIT */
/* roff_test.c: text comes out of a manual page as it went in. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "shared/base/base.h"
#include "shared/conf/roff.h"

static const struct {
	const char *text, *line, *behind; /* at a line's beginning, and not */
} rows[] = {
	{ "plain", "plain", "plain" },
	{ "--a-b", "\\-\\-a\\-b", "\\-\\-a\\-b" },
	{ ".TH x", "\\&.TH x", ".TH x" },
	{ "'quote'", "\\&\\(aqquote\\(aq", "\\(aqquote\\(aq" },
	{ "a\n.b\n'c", "a\n\\&.b\n\\&\\(aqc", "a\n\\&.b\n\\&\\(aqc" },
	{ "C:\\x `y` ~ ^", "C:\\ex \\(gay\\(ga \\(ti \\(ha",
	    "C:\\ex \\(gay\\(ga \\(ti \\(ha" },
	{ "", "", "" },
};

static void
test_text(void **state)
{
	char line[256] = "", behind[256] = "";
	FILE *f;
	size_t i;

	for (i = 0; i < nitems(rows); i++) {
		f = fmemopen(line, sizeof(line), "w");
		roff_text(f, rows[i].text);
		fputc('\0', f);
		fclose(f);
		f = fmemopen(behind, sizeof(behind), "w");
		roff_inline(f, rows[i].text);
		fputc('\0', f);
		fclose(f);
		assert_string_equal(line, rows[i].line);
		assert_string_equal(behind, rows[i].behind);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
