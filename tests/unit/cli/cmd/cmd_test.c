/* SPDX-License-Identifier: MIT */
/* cmd.c: how the words behind a command are sorted. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/cmd/cmd.h"
#include "shared/base/base.h"
#include "shared/base/buf.h"
#include "shared/base/xmalloc.h"

static const struct cmd_option options[] = {
	{ "value", "V", "takes one" },
	{ "flag", NULL, "takes none" },
	{ NULL, NULL, NULL },
};
static const struct cmd_verb verb = { .name = "noun verb",
	.args = "A [B]",
	.min = 1,
	.max = 2,
	.summary = "Test",
	.options = options };

struct parse {
	const char *argv[8];
	const char *args[2], *value;
	int want;
	bool flag, json, help;
};

static const struct parse parses[] = {
	{ { "a" }, { "a" }, NULL, CMD_OK, false, false, false },
	{ { "a", "b" }, { "a", "b" }, NULL, CMD_OK, false, false, false },
	{ { NULL }, { NULL }, NULL, CMD_USAGE, false, false, false },
	{ { "a", "b", "c" }, { NULL }, NULL, CMD_USAGE, false, false, false },
	{ { "--value", "v", "a" }, { "a" }, "v", CMD_OK, false, false, false },
	{ { "a", "--value=v" }, { "a" }, "v", CMD_OK, false, false, false },
	{ { "a", "--value=" }, { "a" }, "", CMD_OK, false, false, false },
	{ { "a", "--value=x=y" }, { "a" }, "x=y", CMD_OK, false, false, false },
	{ { "a", "--value", "--flag" }, { "a" }, "--flag", CMD_OK, false, false,
	    false },
	{ { "a", "--value=1", "--value=2" }, { "a" }, "2", CMD_OK, false, false,
	    false },
	{ { "a", "--value" }, { NULL }, NULL, CMD_USAGE, false, false, false },
	{ { "a", "--flag=1" }, { NULL }, NULL, CMD_USAGE, false, false, false },
	{ { "a", "--flags" }, { NULL }, NULL, CMD_USAGE, false, false, false },
	{ { "a", "--val", "v" }, { NULL }, NULL, CMD_USAGE, false, false,
	    false },
	{ { "--flag", "-j", "a" }, { "a" }, NULL, CMD_OK, true, true, false },
	/* Data may look like an option. */
	{ { "-5" }, { "-5" }, NULL, CMD_OK, false, false, false },
	{ { "-" }, { "-" }, NULL, CMD_OK, false, false, false },
	{ { "--", "--flag", "-j" }, { "--flag", "-j" }, NULL, CMD_OK, false,
	    false, false },
	{ { "--", "-h" }, { "-h" }, NULL, CMD_OK, false, false, false },
	{ { "-h" }, { NULL }, NULL, CMD_OK, false, false, true },
	{ { "a", "b", "c", "--help" }, { "a", "b" }, NULL, CMD_OK, false, false,
	    true },
};

static void
check_parse(const struct parse *p)
{
	struct cmd c = { .verb = &verb, .self = "pusherctl" };
	char *argv[nitems(p->argv)];
	size_t n = 0, i;
	const char *value;

	for (; n < nitems(argv) && p->argv[n] != NULL; n++)
		argv[n] = str_dup(str_of(p->argv[n]));
	assert_int_equal(cmd_parse(&c, (int)n, argv), p->want);
	value = cmd_value(&c, "value");
	if (p->want == CMD_OK) {
		for (i = 0; i < nitems(p->args) && p->args[i] != NULL; i++)
			assert_string_equal(c.args[i], p->args[i]);
		assert_true(c.nargs == i || p->help);
		assert_int_equal(value == NULL, p->value == NULL);
		if (value != NULL)
			assert_string_equal(value, p->value);
		assert_int_equal(cmd_has(&c, "flag"), p->flag);
		assert_int_equal(c.json, p->json);
		assert_int_equal(c.help, p->help);
	}
	cmd_clear(&c);
	for (i = 0; i < n; i++)
		free(argv[i]);
}

static void
arguments(void **state)
{
	size_t i;

	for (i = 0; i < nitems(parses); i++)
		check_parse(&parses[i]);
}

static void
files(void **state)
{
	char name[] = "/tmp/pusherctl-test-XXXXXX";
	int fd = mkstemp(name);
	struct buf *b;

	assert_int_equal(write(fd, "0123456789", 10), 10);
	close(fd);
	b = cmd_read_file(name, 10);
	assert_non_null(b);
	assert_true(str_eq(buf_str(b), S("0123456789")));
	buf_unref(b);
	assert_null(cmd_read_file(name, 9));
	unlink(name);
	assert_null(cmd_read_file(name, 10));
	assert_null(cmd_read_file("/", 10));
	b = cmd_read_file("/dev/null", 10);
	assert_non_null(b);
	assert_int_equal(b->len, 0);
	buf_unref(b);
	assert_null(cmd_read_file("/dev/zero", 100000));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arguments),
		cmocka_unit_test(files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
