/* SPDX-License-Identifier: MIT */
/*
 * conf_read_test.c: file, environment and command line, their order, and every
 * sentence for what is wrong in them.
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

#include "shared/base/base.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"

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
test_file(void **state)
{
	struct conf c;

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
	    "listen 127.0.0.1:2 tls, [::1]:3, *:4\n"
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
	/* A comment may have any bytes. */
	{ "# caf\xe9\nuser \"caf\xe9\" # \xe9\n",
	    "t.conf:2: the value of user is not UTF-8" },
	{ "database /caf\xc3\n",
	    "t.conf:1: the value of database is not UTF-8" },
	{ "us\xe9r x\n", "t.conf:1: the option's name is not UTF-8" },
	{ "\n\nlog_levl debug\n",
	    "t.conf:3: there is no option \"log_levl\"; did you mean "
	    "log_level?" },
	{ "zzz 1",
	    "t.conf:1: there is no option \"zzz\"; pusherd -T shows all of "
	    "them" },
	{ "workers = 4", "t.conf:1: write `name value`, without =" },
	{ "workers=4", "t.conf:1: write `name value`, without =" },
	{ "workers",
	    "t.conf:1: there is no value for workers: write `name value`, "
	    "and \"\" for an empty one" },
	{ "workers # 4",
	    "t.conf:1: there is no value for workers: write `name value`, "
	    "and \"\" for an empty one" },
	{ "user \"a", "t.conf:1: the closing quote is missing" },
	{ "user \"a\\",
	    "t.conf:1: in quotes a \\ must be followed by \" or \\" },
	{ "user \"a\\\"", "t.conf:1: the closing quote is missing" },
	{ "user \"a\\n\"",
	    "t.conf:1: in quotes a \\ must be followed by \" or \\" },
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
	    "t.conf:1: max_head_bytes is \"64k\": must be a number of bytes "
	    "from 1024 to 65536" },
	{ "max_head_bytes 1023",
	    "t.conf:1: max_head_bytes is \"1023\": must be a number of bytes "
	    "from 1024 to 65536" },
	{ "max_head_bytes 18446744073709551617",
	    "t.conf:1: max_head_bytes is \"18446744073709551617\": must be a "
	    "number of bytes from 1024 to 65536" },
	{ "max_head_bytes -1",
	    "t.conf:1: max_head_bytes is \"-1\": must be a number of bytes "
	    "from 1024 to 65536" },
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
		    "environment variable PUSHERD_WORKRES: there is no "
		    "option \"workres\"; did you mean workers?" },
		{ "PUSHERD_workers", "1",
		    "environment: there is no option for PUSHERD_workers; "
		    "names are all upper case" },
		{ "PUSHERD_", "1",
		    "environment: there is no option for PUSHERD_; names are "
		    "all upper case" },
		{ "PUSHERD_PONG_TIMEOUT", "soon",
		    "environment variable PUSHERD_PONG_TIMEOUT: "
		    "pong_timeout is \"soon\": must be a number of seconds "
		    "from 1 to 600" },
	};
	struct conf c;
	char *why;
	size_t i;

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

	assert_int_equal(
	    conf_load(&c, "/nonexistent/x.conf", NULL, 0, &why), -1);
	assert_string_equal(why,
	    "cannot read the configuration file "
	    "/nonexistent/x.conf: No such file or "
	    "directory: -c has to name a file that exists");
	free(why);
	assert_int_equal(conf_load(&c, "/tmp", NULL, 0, &why), -1);
	assert_string_equal(why,
	    "cannot read the configuration file /tmp: Is a directory: -c has "
	    "to name a file");
	free(why);
	assert_int_equal(conf_load(&c, "/dev/zero", NULL, 0, &why), -1);
	assert_string_equal(why,
	    "cannot read the configuration file /dev/zero: File too large: it "
	    "may have 1 MiB");
	free(why);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_bad_files),
		cmocka_unit_test(test_odd_bytes),
		cmocka_unit_test(test_long_value),
		cmocka_unit_test(test_precedence),
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_unreadable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
