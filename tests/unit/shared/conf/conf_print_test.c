/* SPDX-License-Identifier: MIT */
/*
 * conf_print_test.c: what is printed can be read back, and the example file is
 * current.  `conf_print_test --example >etc/pusherd.conf` writes it.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"

static char *
read_stream(FILE *f)
{
	char *text = xcalloc(1, 65536);

	rewind(f);
	text[fread(text, 1, 65535, f)] = '\0';
	return text;
}

/* Reads the text over the defaults and wants no error. */
static void
load_text(struct conf *c, const char *text)
{
	char *why = NULL;

	conf_init(c);
	if (conf_read_text(c, "t.conf", str_of(text), &why) == -1)
		fail_msg("%s", why);
}

/* The output of -T is a configuration file with the same values. */
static void
test_print_reads_back(void **state)
{
	char *why = NULL, *first, *second;
	struct conf c, again;
	FILE *f = tmpfile();

	load_text(&c,
	    "user \"a b\\\\ \\\"c\\\" #d\"\nlisten 1.2.3.4:5\n"
	    "listen [::1]:6\nstrict_subscribe on\nlog_level warn\n"
	    "client_buffer_age 77\n");
	conf_print(&c, f);
	first = read_stream(f);
	fclose(f);
	conf_init(&again);
	if (conf_read_text(&again, "again", str_of(first), &why) == -1)
		fail_msg("%s", why);
	assert_string_equal(again.user, c.user);
	assert_int_equal(again.listen.n, 2);
	assert_string_equal(again.listen.v[1], "[::1]:6");
	assert_true(again.strict_subscribe);
	assert_int_equal(again.client_buffer_age, 77);
	assert_non_null(strstr(first, "log_level warn    # t.conf:5\n"));
	assert_non_null(strstr(first, "pong_timeout 30    # default\n"));
	f = tmpfile();
	conf_print(&again, f);
	second = read_stream(f);
	fclose(f);
	assert_int_equal(strcspn(first, "#"), strcspn(second, "#"));
	free(first);
	free(second);
	conf_clear(&c);
	conf_clear(&again);
}

/* etc/pusherd.conf is what the list of options says. */
static void
test_example_is_current(void **state)
{
	FILE *f = tmpfile(), *file = fopen("etc/pusherd.conf", "r");
	char *want, *have, *p, *why = NULL;
	struct conf c;

	conf_print_example(f);
	want = read_stream(f);
	fclose(f);
	if (file == NULL)
		fail_msg("run this test in the top directory");
	have = read_stream(file);
	fclose(file);
	assert_string_equal(have, want);
	/* With every option switched on it is still the defaults. */
	for (p = want; (p = strchr(p, '#')) != NULL; p++)
		if (p[1] >= 'a' && p[1] <= 'z' && (p == want || p[-1] == '\n'))
			*p = ' ';
	conf_init(&c);
	if (conf_read_text(&c, "example", str_of(want), &why) == -1)
		fail_msg("%s", why);
	assert_string_equal(c.listen.v[0], "0.0.0.0:6001");
	assert_int_equal(conf_finish(&c, &why), 0);
	conf_clear(&c);
	free(want);
	free(have);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_print_reads_back),
		cmocka_unit_test(test_example_is_current),
	};

	if (argc == 2 && strcmp(argv[1], "--example") == 0) {
		conf_print_example(stdout);
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
