/* SPDX-License-Identifier: MIT */
/*
 * log.c: what a line looks like, that nothing can break out of it, and that a
 * repeating warning stays quiet.  A datagram socket stands in for stderr: each
 * write(2) is one datagram.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shared/base/base.h"
#include "shared/base/log.h"
#include "shared/base/log_out.h"

static int reader = -1, real_stderr = -1;
static char line[8192];

static int
catch_stderr(void **state)
{
	int fds[2];

	(void)state;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds) == -1)
		return -1;
	real_stderr = dup(STDERR_FILENO);
	if (dup2(fds[1], STDERR_FILENO) == -1)
		return -1;
	close(fds[1]);
	reader = fds[0];
	log_init("worker 2", LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT);
	return 0;
}

static int
release_stderr(void **state)
{
	(void)state;
	dup2(real_stderr, STDERR_FILENO);
	close(real_stderr);
	close(reader);
	return 0;
}

/* The next line without its line feed, or NULL when there is none. */
static const char *
next_line(void)
{
	ssize_t n = recv(reader, line, sizeof(line) - 1, MSG_DONTWAIT);

	if (n <= 0)
		return NULL;
	line[n] = '\0';
	assert_int_equal(line[n - 1], '\n');
	assert_int_equal(strlen(line), n);
	assert_ptr_equal(strchr(line, '\n'), line + n - 1);
	line[n - 1] = '\0';
	return line;
}

/* The text behind "2026-01-31T12:00:00.123Z ". */
static const char *
next_text(void)
{
	static const char shape[] = "dddd-dd-ddTdd:dd:dd.dddZ ";
	const char *s = next_line();
	size_t i;

	assert_non_null(s);
	for (i = 0; i < sizeof(shape) - 1; i++) {
		if (shape[i] == 'd')
			assert_in_range(s[i], '0', '9');
		else
			assert_int_equal(s[i], shape[i]);
	}
	return s + i;
}

static void
levels(void **state)
{
	static const struct {
		const char *name;
		enum log_level level;
	} rows[] = {
		{ "error", LOG_LEVEL_ERROR },
		{ "warn", LOG_LEVEL_WARN },
		{ "info", LOG_LEVEL_INFO },
		{ "debug", LOG_LEVEL_DEBUG },
	};
	static const char *const bad[] = { "", "warning", "Info", "debug ",
		"3" };
	enum log_level level;
	size_t i;

	(void)state;
	for (i = 0; i < nitems(rows); i++) {
		assert_int_equal(
		    log_level_parse(str_of(rows[i].name), &level), 0);
		assert_int_equal(level, rows[i].level);
		log_set_level(level);
		assert_int_equal(log_is_debug(), level == LOG_LEVEL_DEBUG);
		log_debug("d %zu", i);
		if (level >= LOG_LEVEL_DEBUG)
			assert_string_equal(
			    next_text(), "worker 2: debug: d 3");
		log_info("i %zu", i);
		if (level >= LOG_LEVEL_INFO)
			assert_non_null(strstr(next_text(), "worker 2: i "));
		if (level == LOG_LEVEL_ERROR) {
			log_warnx("w %zu", i);
			assert_null(next_line());
		}
		if (level == LOG_LEVEL_WARN) {
			log_warnx("w %zu", i);
			assert_string_equal(next_text(), "worker 2: warn: w 1");
		}
		assert_null(next_line());
	}
	for (i = 0; i < nitems(bad); i++)
		assert_int_equal(log_level_parse(str_of(bad[i]), &level), -1);
	log_set_level(LOG_LEVEL_INFO);
}

static void
nothing_breaks_out(void **state)
{
	static const struct {
		const char *in, *text;
	} rows[] = {
		{ "plain app=3 sid=912.77", "plain app=3 sid=912.77" },
		{ "", "" },
		{ "a\nb", "a\\nb" },
		{ "a\r\tb", "a\\x0d\\x09b" },
		{ "\x1b[31mred\x7f", "\\x1b[31mred\\x7f" },
		{ "\x01", "\\x01" },
		{ "back\\slash", "back\\\\slash" },
		{ "\"quoted\"", "\"quoted\"" },
		{ "\xc3\xa9\xe2\x82\xac\xf0\x9f\x8e\x88",
		    "\xc3\xa9\xe2\x82\xac\xf0\x9f\x8e\x88" },
		{ "\xc2\x9b"
		  "2J",
		    "\\xc2\\x9b2J" }, /* a C1 control */
		{ "\xff\xfe", "\\xff\\xfe" },
		{ "\xc0\xaf", "\\xc0\\xaf" },          /* overlong */
		{ "\xe0\x80\xaf", "\\xe0\\x80\\xaf" }, /* overlong */
		{ "\xf0\x80\x80\xaf", "\\xf0\\x80\\x80\\xaf" },
		{ "\xed\xa0\x80", "\\xed\\xa0\\x80" },          /* surrogate */
		{ "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80" }, /* too high */
		{ "\xe2\x82", "\\xe2\\x82" },                   /* cut */
		{ "\xe2\x82z", "\\xe2\\x82z" },
		{ "\x80", "\\x80" },
	};
	cJSON *o, *msg;
	const char *s;
	size_t i;

	(void)state;
	for (i = 0; i < nitems(rows); i++) {
		log_info("%s", rows[i].in);
		s = next_text();
		assert_memory_equal(s, "worker 2: ", 10);
		assert_string_equal(s + 10, rows[i].text);
	}
	log_init("worker 2", LOG_LEVEL_INFO, LOG_FORMAT_JSON);
	for (i = 0; i < nitems(rows); i++) {
		log_info("%s", rows[i].in);
		o = cJSON_Parse(next_line());
		assert_non_null(o);
		msg = cJSON_GetObjectItemCaseSensitive(o, "msg");
		assert_true(cJSON_IsString(msg));
		/* the same text; only JSON's own backslash is not doubled */
		if (strchr(rows[i].in, '\\') == NULL)
			assert_string_equal(msg->valuestring, rows[i].text);
		else
			assert_string_equal(msg->valuestring, rows[i].in);
		cJSON_Delete(o);
	}
	log_init("worker 2", LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT);
}

static void
json_members(void **state)
{
	static const char *const names[] = { "time", "level", "process",
		"msg" };
	static const char *const values[] = { NULL, "warn", "wor\"ker",
		"cannot read: No such file or directory" };
	cJSON *o, *item;
	size_t i;

	(void)state;
	log_init("wor\"ker", LOG_LEVEL_INFO, LOG_FORMAT_JSON);
	errno = ENOENT;
	log_warn("cannot read");
	o = cJSON_Parse(next_line());
	assert_non_null(o);
	item = o->child;
	for (i = 0; i < nitems(names); i++) {
		assert_non_null(item);
		assert_string_equal(item->string, names[i]);
		if (values[i] == NULL)
			assert_int_equal(strlen(item->valuestring), 24);
		else
			assert_string_equal(item->valuestring, values[i]);
		item = item->next;
	}
	assert_null(item);
	cJSON_Delete(o);
	log_init("worker 2", LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT);
}

static void
long_messages_are_cut_visibly(void **state)
{
	static const char fills[] = { 'x', '\x01', '"' };
	static char text[100000];
	enum log_format format;
	cJSON *o;
	const char *s;
	size_t i;

	(void)state;
	for (i = 0; i < 2 * nitems(fills); i++) {
		format = i % 2 == 0 ? LOG_FORMAT_LOGFMT : LOG_FORMAT_JSON;
		memset(text, fills[i / 2], sizeof(text) - 1);
		log_init("worker 2", LOG_LEVEL_INFO, format);
		log_info("%s", text);
		s = next_line();
		assert_non_null(s);
		assert_in_range(strlen(s), 2000, 4095);
		assert_non_null(strstr(s, "…"));
		if (format == LOG_FORMAT_LOGFMT)
			continue;
		o = cJSON_Parse(s);
		assert_non_null(o);
		cJSON_Delete(o);
	}
	log_init("worker 2", LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT);
}

static void
errno_stays(void **state)
{
	(void)state;
	errno = EPERM;
	log_warn("warn keeps errno");
	assert_int_equal(errno, EPERM);
	assert_string_equal(next_text(),
	    "worker 2: warn: warn keeps errno: Operation not permitted");
	log_warnx("warnx keeps errno");
	assert_int_equal(errno, EPERM);
	log_info("info keeps errno");
	assert_int_equal(errno, EPERM);
	log_debug("debug keeps errno");
	assert_int_equal(errno, EPERM);
	while (next_line() != NULL)
		continue;
}

static void
repeat(int i)
{
	log_warnx("repeated %d", i);
}

static void
repeated_warnings_stay_quiet(void **state)
{
	struct timespec pause = { 1, 50000000 };
	int i;

	(void)state;
	for (i = 0; i < 100; i++)
		repeat(i);
	assert_string_equal(next_text(), "worker 2: warn: repeated 0");
	assert_null(next_line());
	log_warnx("another format"); /* is not held back */
	assert_string_equal(next_text(), "worker 2: warn: another format");
	nanosleep(&pause, NULL);
	repeat(100);
	assert_string_equal(
	    next_text(), "worker 2: warn: repeated 100 (+99 more)");
	repeat(101);
	assert_null(next_line());
	nanosleep(&pause, NULL);
	repeat(102);
	assert_string_equal(
	    next_text(), "worker 2: warn: repeated 102 (+1 more)");
	nanosleep(&pause, NULL);
	repeat(103);
	assert_string_equal(next_text(), "worker 2: warn: repeated 103");
	/* And when it stops the rest is told. */
	repeat(104);
	repeat(105);
	log_tick();
	assert_null(next_line());
	nanosleep(&pause, NULL);
	log_tick();
	assert_string_equal(
	    next_text(), "worker 2: warn: 2 more: repeated 105");
	log_tick();
	assert_null(next_line());
}

static void
cannot_read(int err)
{
	errno = err;
	log_warn("cannot read");
}

static void
a_repeated_warning_keeps_its_reason(void **state)
{
	struct timespec pause = { 1, 50000000 };

	(void)state;
	cannot_read(EPIPE);
	assert_string_equal(
	    next_text(), "worker 2: warn: cannot read: Broken pipe");
	cannot_read(EPIPE);
	cannot_read(EIO);
	nanosleep(&pause, NULL);
	log_tick();
	assert_string_equal(next_text(),
	    "worker 2: warn: 2 more: cannot read: Input/output error");
}

static void
a_forked_process_has_no_repeats(void **state)
{
	struct timespec pause = { 1, 50000000 };

	(void)state;
	repeat(1);
	repeat(2);
	assert_string_equal(next_text(), "worker 2: warn: repeated 1");
	log_init("worker 2", LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT);
	repeat(3);
	assert_string_equal(next_text(), "worker 2: warn: repeated 3");
	nanosleep(&pause, NULL);
	log_tick();
	assert_null(next_line());
}

static void
fatal_ends_the_process(void **state)
{
	int status, with_errno;
	pid_t pid;

	(void)state;
	for (with_errno = 0; with_errno < 2; with_errno++) {
		pid = fork();
		assert_int_not_equal(pid, -1);
		if (pid == 0) {
			errno = EACCES;
			if (with_errno)
				fatal("cannot open %s", "x");
			fatalx("no such key: %s", "x");
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 1);
		assert_string_equal(next_text(),
		    with_errno ? "worker 2: error: cannot open x: "
				 "Permission denied"
			       : "worker 2: error: no such key: x");
	}
}

/* A syslog that is stuck, then reads again, then is started anew. */
static void
o1_a_syslog_that_nobody_reads(void **state)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	char dir[] = "/tmp/pusherd-syslog-XXXXXX", text[4096];
	int fd, i, n = 0;
	ssize_t got;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(a.sun_path, sizeof(a.sun_path), "%s/log", dir);
	log_out_syslog_at(a.sun_path);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(fd, (void *)&a, sizeof(a)), 0);
	log_to_syslog();
	for (i = 0; i < 5000; i++)
		log_info("line %d", i);
	while (recv(fd, text, sizeof(text), 0) > 0)
		n++;
	assert_true(n > 0 && n < 5000);
	log_info("the last");
	got = recv(fd, text, sizeof(text) - 1, 0);
	assert_true(got > 0);
	text[got] = '\0';
	assert_int_equal(strncmp(text, "<28>", 4), 0);
	snprintf(
	    text + 2000, 100, "%d lines lost: the log did not take", 5000 - n);
	assert_non_null(strstr(text, text + 2000));
	assert_true(recv(fd, text, sizeof(text), 0) > 0);
	close(fd);
	log_info("lost");
	unlink(a.sun_path);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(fd, (void *)&a, sizeof(a)), 0);
	log_tick();
	got = recv(fd, text, sizeof(text) - 1, 0);
	assert_true(got > 0);
	text[got] = '\0';
	assert_non_null(strstr(text, "1 line lost: the log did not take it"));
	log_to_stderr();
	close(fd);
	unlink(a.sun_path);
	rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    levels, catch_stderr, release_stderr),
		cmocka_unit_test_setup_teardown(
		    nothing_breaks_out, catch_stderr, release_stderr),
		cmocka_unit_test_setup_teardown(
		    json_members, catch_stderr, release_stderr),
		cmocka_unit_test_setup_teardown(long_messages_are_cut_visibly,
		    catch_stderr, release_stderr),
		cmocka_unit_test_setup_teardown(
		    errno_stays, catch_stderr, release_stderr),
		cmocka_unit_test_setup_teardown(
		    repeated_warnings_stay_quiet, catch_stderr, release_stderr),
		cmocka_unit_test_setup_teardown(
		    a_repeated_warning_keeps_its_reason, catch_stderr,
		    release_stderr),
		cmocka_unit_test_setup_teardown(a_forked_process_has_no_repeats,
		    catch_stderr, release_stderr),
		cmocka_unit_test_setup_teardown(o1_a_syslog_that_nobody_reads,
		    catch_stderr, release_stderr),
		cmocka_unit_test_setup_teardown(
		    fatal_ends_the_process, catch_stderr, release_stderr),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
