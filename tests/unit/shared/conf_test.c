/* SPDX-License-Identifier: MIT */
/*
 * conf_test.c: file, environment and command line, their order, and every
 * sentence for what is wrong.  `conf_test --example` writes the example file.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "shared/base.h"
#include "shared/conf.h"
#include "shared/xmalloc.h"

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

static void
test_defaults(void **state)
{
	char *why = NULL;
	struct conf c;
	size_t i = 0;

	UNUSED(state);
	conf_init(&c);
#define CONF_TEXT(name, def, help) assert_string_equal(c.name, def);
#define CONF_PATH(name, def, help) assert_string_equal(c.name, def);
#define CONF_LIST(name, def, help) \
	assert_int_equal(c.name.n, 1); \
	assert_string_equal(c.name.v[0], def);
#define CONF_UINT(name, def, min, max, help) \
	assert_true(c.name == (def)); \
	assert_true((def) >= (min) && (def) <= (max));
#define CONF_ENUM(name, def, choices, help) assert_string_equal(c.name, def);
#define CONF_BOOL(name, def, help) assert_int_equal(c.name, def);
#include "shared/conf_options.def"
#undef CONF_TEXT
#undef CONF_PATH
#undef CONF_LIST
#undef CONF_UINT
#undef CONF_ENUM
#undef CONF_BOOL
	assert_int_equal(conf_finish(&c, &why), 0);
	assert_in_range(c.nworkers, 1, 64);
	assert_string_equal(c.broker_path, "/run/pusherd/broker.sock");
	assert_string_equal(c.control_path, "/run/pusherd/ctl.sock");
	assert_string_equal(c.pid_file, "/run/pusherd/pusherd.pid");
	for (i = 0; i < 5; i++)
		assert_string_equal(c.origin[i], "default");
	conf_clear(&c);
	conf_clear(&c);
}

static void
test_file(void **state)
{
	struct conf c;

	UNUSED(state);
	load_text(&c,
	    "# a comment\n"
	    "\n"
	    "  log_level\tdebug   # and why\n"
	    "log_format json\r\n"
	    "user \"a \\\"b\\\" \\\\ #c\"   # quoted\n"
	    "database /tmp/a#b\n"
	    "strict_protocol on\n"
	    "client_buffer 0016384\n"
	    "pid_file \"\"\n"
	    "listen 127.0.0.1:1\n"
	    "listen 127.0.0.1:2 [::1]:3, *:4\n"
	    "drain_time 0");
	assert_string_equal(c.log_level, "debug");
	assert_string_equal(c.log_format, "json");
	assert_string_equal(c.user, "a \"b\" \\ #c");
	assert_string_equal(c.database, "/tmp/a#b");
	assert_true(c.strict_protocol);
	assert_false(c.strict_subscribe);
	assert_int_equal(c.client_buffer, 16384);
	assert_string_equal(c.pid_file, "");
	assert_int_equal(c.listen.n, 4);
	assert_string_equal(c.listen.v[0], "127.0.0.1:1");
	assert_string_equal(c.listen.v[3], "*:4");
	assert_int_equal(c.drain_time, 0);
	assert_string_equal(c.origin[0], "t.conf:11");
	conf_clear(&c);
}

struct bad {
	const char *text, *sentence;
};

static const struct bad bad_files[] = {
	{ "\n\nlog_levl debug\n",
	    "t.conf:3: there is no option \"log_levl\"; did you mean "
	    "log_level?" },
	{ "zzz 1",
	    "t.conf:1: there is no option \"zzz\"; pusherd -T shows all of "
	    "them" },
	{ "workers = 4", "t.conf:1: write `name value`, without =" },
	{ "workers=4", "t.conf:1: write `name value`, without =" },
	{ "workers",
	    "t.conf:1: the value is missing: write `name value`, and \"\" "
	    "for an empty one" },
	{ "workers # 4",
	    "t.conf:1: the value is missing: write `name value`, and \"\" "
	    "for an empty one" },
	{ "user \"a", "t.conf:1: the closing quote is missing" },
	{ "user \"a\\", "t.conf:1: in quotes a \\ must stand before \" or \\" },
	{ "user \"a\\\"", "t.conf:1: the closing quote is missing" },
	{ "user \"a\\n\"",
	    "t.conf:1: in quotes a \\ must stand before \" or \\" },
	{ "user \"a\" b", "t.conf:1: something follows the closing quote" },
	{ "user a\001b",
	    "t.conf:1: user is \"a?b\": must be without control characters" },
	{ "workers 2\nworkers 3",
	    "t.conf:2: workers has been set already, at t.conf:1" },
	{ "log_level loud",
	    "t.conf:1: log_level is \"loud\": must be one of "
	    "error|warn|info|debug" },
	{ "log_level error|warn",
	    "t.conf:1: log_level is \"error|warn\": must be one of "
	    "error|warn|info|debug" },
	{ "strict_protocol yes",
	    "t.conf:1: strict_protocol is \"yes\": must be on or off" },
	{ "max_head_bytes 64k",
	    "t.conf:1: max_head_bytes is \"64k\": must be a number from 1024 "
	    "to 65536" },
	{ "max_head_bytes 1023",
	    "t.conf:1: max_head_bytes is \"1023\": must be a number from 1024 "
	    "to 65536" },
	{ "max_head_bytes 18446744073709551617",
	    "t.conf:1: max_head_bytes is \"18446744073709551617\": must be a "
	    "number from 1024 to 65536" },
	{ "max_head_bytes -1",
	    "t.conf:1: max_head_bytes is \"-1\": must be a number from 1024 "
	    "to 65536" },
	{ "listen \"\"", "t.conf:1: listen is \"\": must be at least one" },
	{ "\"user\" x",
	    "t.conf:1: there is no option \"\"user\"\"; did you mean user?" },
};

static void
test_bad_files(void **state)
{
	struct conf c;
	char *why;
	size_t i;

	UNUSED(state);
	for (i = 0; i < nitems(bad_files); i++) {
		why = NULL;
		conf_init(&c);
		assert_int_equal(conf_read_text(&c, "t.conf",
				     str_of(bad_files[i].text), &why),
		    -1);
		assert_string_equal(why, bad_files[i].sentence);
		free(why);
		conf_clear(&c);
	}
}

static void
test_odd_bytes(void **state)
{
	char text[300], *why = NULL;
	struct conf c;

	UNUSED(state);
	conf_init(&c);
	assert_int_equal(
	    conf_read_text(&c, "t", str_make("user a\0b", 8), &why), -1);
	assert_non_null(strstr(why, "t:1: there is a NUL byte"));
	free(why);
	memset(text, 'x', sizeof(text));
	assert_int_equal(
	    conf_read_text(&c, "t", str_make(text, sizeof(text)), &why), -1);
	free(why);
	assert_int_equal(conf_read_text(&c, "t", str_make("", 0), &why), 0);
	conf_clear(&c);
}

static void
test_long_value(void **state)
{
	char *text = xmalloc(5000), *why = NULL;
	struct conf c;

	UNUSED(state);
	memset(text, 'a', 5000);
	memcpy(text, "user ", 5);
	conf_init(&c);
	assert_int_equal(
	    conf_read_text(&c, "t", str_make(text, 5000), &why), -1);
	assert_string_equal(why,
	    "t:1: the value of user is too long: 4995 bytes of at most 4000");
	free(why);
	free(text);
	conf_clear(&c);
}

static const struct bad bad_values[] = {
	{ "workers=0",
	    "command line: workers is \"0\": must be a number from 1 to 64, "
	    "or auto" },
	{ "workers=65",
	    "command line: workers is \"65\": must be a number from 1 to 64, "
	    "or auto" },
	{ "workers=",
	    "command line: workers is \"\": must be a number from 1 to 64, "
	    "or auto" },
	{ "listen=localhost:1",
	    "command line: listen is \"localhost:1\": must be an address and "
	    "a port, as in 0.0.0.0:6001, [::]:6001 or *:6001" },
	{ "listen=127.0.0.1",
	    "command line: listen is \"127.0.0.1\": must be an address and "
	    "a port, as in 0.0.0.0:6001, [::]:6001 or *:6001" },
	{ "listen=127.0.0.1:65536",
	    "command line: listen is \"127.0.0.1:65536\": must be an address "
	    "and a port, as in 0.0.0.0:6001, [::]:6001 or *:6001" },
	{ "listen=0.0.0.0:5 *:5", "command line: listen has 0.0.0.0:5 twice" },
	{ "database=", "command line: database must not be empty" },
	{ "runtime_dir=", "command line: runtime_dir must not be empty" },
	{ "workers",
	    "command line: -o workers has no value: write -o "
	    "NAME=VALUE" },
	{ "=1",
	    "command line: there is no option \"\"; pusherd -T shows all "
	    "of them" },
};

static void
test_bad_values(void **state)
{
	struct conf c;
	char *why;
	size_t i;

	UNUSED(state);
	for (i = 0; i < nitems(bad_values); i++) {
		why = NULL;
		conf_init(&c);
		if (conf_read_argument(&c, bad_values[i].text, &why) == 0)
			assert_int_equal(conf_finish(&c, &why), -1);
		assert_non_null(why);
		assert_string_equal(why, bad_values[i].sentence);
		free(why);
		conf_clear(&c);
	}
}

static void
test_runtime_dir_bound(void **state)
{
	char text[140], *why = NULL;
	struct conf c;

	UNUSED(state);
	/* sun_path has 108 bytes; "/broker.sock" and NUL take 13. */
	memset(text, 'a', sizeof(text));
	memcpy(text, "runtime_dir=/", 13);
	text[12 + 95] = '\0';
	conf_init(&c);
	assert_int_equal(conf_read_argument(&c, text, &why), 0);
	assert_int_equal(conf_finish(&c, &why), 0);
	assert_int_equal(strlen(c.broker_path), 107);
	text[12 + 95] = 'a';
	text[12 + 96] = '\0';
	assert_int_equal(conf_read_argument(&c, text, &why), 0);
	assert_int_equal(conf_finish(&c, &why), -1);
	assert_non_null(strstr(why, "96 bytes of at most 95"));
	free(why);
	conf_clear(&c);
}

static void
test_relative_paths(void **state)
{
	char *args[] = { (char *)(uintptr_t) "runtime_dir=./run",
		(char *)(uintptr_t) "database=db/apps.db",
		(char *)(uintptr_t) "pid_file=x.pid" };
	char *why = NULL, *cwd = getcwd(NULL, 0), *want;
	struct conf c;

	UNUSED(state);
	if (conf_load(&c, "/dev/null", args, nitems(args), &why) == -1)
		fail_msg("%s", why);
	want = xasprintf("%s/run/ctl.sock", cwd);
	assert_string_equal(c.control_path, want);
	free(want);
	want = xasprintf("%s/db/apps.db", cwd);
	assert_string_equal(c.database, want);
	free(want);
	want = xasprintf("%s/x.pid", cwd);
	assert_string_equal(c.pid_file, want);
	free(want);
	free(cwd);
	conf_clear(&c);
}

/* A temporary file with this text; the name is the caller's. */
static void
write_temporary(char *name, const char *text)
{
	int fd = mkstemp(name);

	assert_int_not_equal(fd, -1);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void
test_precedence(void **state)
{
	char *args[] = { (char *)(uintptr_t) "pong_timeout=4",
		(char *)(uintptr_t) "listen=127.0.0.1:4",
		(char *)(uintptr_t) "listen=127.0.0.1:5",
		(char *)(uintptr_t) "pong_timeout=5" };
	char name[] = "/tmp/conf_test.XXXXXX", *why = NULL, *want;
	struct conf c;

	UNUSED(state);
	write_temporary(name,
	    "pong_timeout 2\nkeepalive_timeout 2\nhandshake_timeout 2\n"
	    "listen 127.0.0.1:2\n");
	setenv("PUSHERD_PONG_TIMEOUT", "3", 1);
	setenv("PUSHERD_KEEPALIVE_TIMEOUT", "3", 1);
	setenv("PUSHERD_LISTEN", "127.0.0.1:3", 1);
	if (conf_load(&c, name, args, nitems(args), &why) == -1)
		fail_msg("%s", why);
	assert_int_equal(c.pong_timeout, 5);
	assert_int_equal(c.keepalive_timeout, 3);
	assert_int_equal(c.handshake_timeout, 2);
	assert_int_equal(c.crash_grace, 3);
	assert_int_equal(c.listen.n, 2);
	assert_string_equal(c.listen.v[0], "127.0.0.1:4");
	assert_string_equal(c.origin[0], "command line");
	conf_clear(&c);
	if (conf_load(&c, name, NULL, 0, &why) == -1)
		fail_msg("%s", why);
	assert_int_equal(c.listen.n, 1);
	assert_string_equal(c.listen.v[0], "127.0.0.1:3");
	conf_clear(&c);
	unsetenv("PUSHERD_LISTEN");
	if (conf_load(&c, name, NULL, 0, &why) == -1)
		fail_msg("%s", why);
	want = xasprintf("%s:4", name);
	assert_string_equal(c.origin[0], want);
	free(want);
	conf_clear(&c);
	unsetenv("PUSHERD_PONG_TIMEOUT");
	unsetenv("PUSHERD_KEEPALIVE_TIMEOUT");
	unlink(name);
}

static void
test_environment(void **state)
{
	static const struct {
		const char *name, *value, *sentence;
	} rows[] = {
		{ "PUSHERD_WORKRES", "1",
		    "environment: there is no option \"workres\"; did you "
		    "mean workers?" },
		{ "PUSHERD_workers", "1",
		    "environment: there is no option for PUSHERD_workers; "
		    "names are all upper case" },
		{ "PUSHERD_", "1",
		    "environment: there is no option for PUSHERD_; names are "
		    "all upper case" },
		{ "PUSHERD_PONG_TIMEOUT", "soon",
		    "environment: pong_timeout is \"soon\": must be a number "
		    "from 1 to 600" },
	};
	struct conf c;
	char *why;
	size_t i;

	UNUSED(state);
	for (i = 0; i < nitems(rows); i++) {
		setenv(rows[i].name, rows[i].value, 1);
		why = NULL;
		assert_int_equal(conf_load(&c, "/dev/null", NULL, 0, &why), -1);
		assert_string_equal(why, rows[i].sentence);
		free(why);
		unsetenv(rows[i].name);
	}
}

static void
test_unreadable(void **state)
{
	char *why = NULL;
	struct conf c;

	UNUSED(state);
	assert_int_equal(
	    conf_load(&c, "/nonexistent/x.conf", NULL, 0, &why), -1);
	assert_string_equal(why,
	    "cannot read the configuration file "
	    "/nonexistent/x.conf: No such file or "
	    "directory");
	free(why);
	assert_int_equal(conf_load(&c, "/tmp", NULL, 0, &why), -1);
	assert_string_equal(
	    why, "cannot read the configuration file /tmp: Is a directory");
	free(why);
	assert_int_equal(conf_load(&c, "/dev/zero", NULL, 0, &why), -1);
	assert_string_equal(why,
	    "cannot read the configuration file /dev/zero: File too large");
	free(why);
}

/* What -T prints is a configuration file with the same values. */
static void
test_print_reads_back(void **state)
{
	char *why = NULL, *first, *second;
	struct conf c, again;
	FILE *f = tmpfile();

	UNUSED(state);
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

	UNUSED(state);
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
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_bad_files),
		cmocka_unit_test(test_odd_bytes),
		cmocka_unit_test(test_long_value),
		cmocka_unit_test(test_bad_values),
		cmocka_unit_test(test_runtime_dir_bound),
		cmocka_unit_test(test_relative_paths),
		cmocka_unit_test(test_precedence),
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_unreadable),
		cmocka_unit_test(test_print_reads_back),
		cmocka_unit_test(test_example_is_current),
	};

	if (argc == 2 && strcmp(argv[1], "--example") == 0) {
		conf_print_example(stdout);
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
