/* SPDX-License-Identifier: MIT */
/*
 * conf_man_test.c: the manual page has every option with its range and its
 * default, and the one in etc/man is current (`make pages` writes it).
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shared/base/base.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"

#define PAGE_MAX 131072

static char *
read_all(FILE *f)
{
	char *text = xcalloc(1, PAGE_MAX);

	rewind(f);
	text[fread(text, 1, PAGE_MAX - 1, f)] = '\0';
	fclose(f);
	return text;
}

static char *
page(void)
{
	FILE *f = tmpfile();

	conf_print_man(f);
	return read_all(f);
}

static void
test_page_is_current(void **state)
{
	FILE *f = fopen("etc/man/pusherd.conf.5", "r");
	char *want = page(), *have;

	if (f == NULL)
		fail_msg("run this test in the top directory");
	have = read_all(f);
	assert_string_equal(have, want);
	free(have);
	free(want);
}

#define CONF_TEXT(name, def, help) ".TP\n.BR " #name " ",
#define CONF_PATH(name, def, help) ".TP\n.BR " #name " ",
#define CONF_LIST(name, def, help) ".TP\n.BR " #name " ",
#define CONF_UINT(name, def, min, max, help) \
	".TP\n.BR " #name " \" \" \\fI" #min ".." #max "\\fR\n",
#define CONF_ENUM(name, def, choices, help) ".TP\n.BR " #name " \" \" \\fI",
#define CONF_BOOL(name, def, help) ".TP\n.BR " #name " \" \" \\fIon|off\\fR\n",
static const char *const wanted[] = {
#include "shared/conf/conf_options.def"
};

static void
test_page_is_complete(void **state)
{
	char *text = page(), *at = text;
	size_t i;

	for (i = 0; i < nitems(wanted); i++) {
		at = strstr(at, wanted[i]);
		if (at == NULL)
			fail_msg("not in the page: %s", wanted[i]);
	}
	assert_non_null(strstr(text, "\nDefault: 0.0.0.0:6001.\n"));
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_page_is_current),
		cmocka_unit_test(test_page_is_complete),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
