/* SPDX-License-Identifier: MIT */
/*
 * sandbox.c: what a worker may do in it, and what happens with the rest.
 * Each case runs in a process of its own, since there is no way out.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/base/base.h"
#include "shared/base/log.h"
#include "shared/base/log_out.h"
#include "worker/sandbox.h"

/* A socket on which somebody listens. */
static struct sockaddr_un stream = { .sun_family = AF_UNIX };

static int
is_refused(long result)
{
	return result == -1 && errno == EPERM ? 0 : 1;
}

static int
opens_file(void)
{
	return is_refused(open("/etc/passwd", O_RDONLY | O_CLOEXEC));
}

static int
makes_inet_socket(void)
{
	return is_refused(socket(AF_INET, SOCK_STREAM, 0));
}

static int
makes_unix_stream(void)
{
	return is_refused(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

/* Be it a socket that was there before. */
static int
o15_connects(void)
{
	return is_refused(connect(0, (const void *)&stream, sizeof(stream)));
}

/* A syslog that takes streams only: the line is lost, not the worker. */
static int
o15_logs_to_a_stream(void)
{
	int r = makes_unix_stream();

	log_out_syslog_at(stream.sun_path);
	log_to_syslog();
	log_warnx("nobody reads this");
	r |= makes_inet_socket();
	log_to_stderr();
	return r;
}

static int
makes_code(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_EXEC,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return is_refused(p == MAP_FAILED ? -1 : 0);
}

static int
removes_file(void)
{
	return is_refused(unlink("/tmp/there-is-no-such-file"));
}

static int
listens(void)
{
	return is_refused(listen(0, 1));
}

static int
does_its_work(void)
{
	int fds[2], fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char *p = malloc(10 << 20);
	char byte = 1;

	if (fd == -1 || p == NULL)
		return 1;
	memset(p, 1, 10 << 20);
	free(p);
	close(fd);
	fds[0] = dup(STDERR_FILENO); /* not needed by a worker */
	if (fds[0] != -1)
		return 1;
	log_warnx("a worker may log");
	return write(STDERR_FILENO, &byte, 0) == 0 ? 0 : 1;
}

static int
starts_program(void)
{
	char name[] = "/bin/true", *argv[] = { name, NULL };

	execv(name, argv);
	return 1;
}

static const struct {
	const char *name;
	int (*run)(void);
	int killed; /* by SIGSYS */
} cases[] = {
	{ "open", opens_file, 0 }, /* openat(2) */
	{ "socket", makes_inet_socket, 0 },
	{ "socket", makes_unix_stream, 0 },
	{ "connect", o15_connects, 0 },
	{ "socket", o15_logs_to_a_stream, 0 },
	{ "mmap", makes_code, 0 },
	{ "unlink", removes_file, 0 },
	{ "listen", listens, 0 },
	{ "dup", does_its_work, 0 },
	{ "execve", starts_program, 1 },
};

/* Runs it; what the process logged is in out. */
static int
run_case(size_t i, char *out, size_t cap)
{
	int line[2], status;
	ssize_t n, have = 0;
	pid_t pid;

	assert_int_equal(pipe(line), 0);
	pid = fork();
	assert_int_not_equal(pid, -1);
	if (pid == 0) {
		dup2(line[1], STDERR_FILENO);
		log_init("worker 0", LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT);
		sandbox_enter();
		_exit(cases[i].run());
	}
	close(line[1]);
	while ((n = read(line[0], out + have, cap - 1 - (size_t)have)) > 0)
		have += n;
	out[have] = '\0';
	close(line[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void
o15_system_calls_of_a_worker(void **state)
{
	char out[4096], want[80];
	int status;

	for (size_t i = 0; i < nitems(cases); i++) {
		status = run_case(i, out, sizeof(out));
		if (cases[i].killed) {
			assert_true(WIFSIGNALED(status));
			assert_int_equal(WTERMSIG(status), SIGSYS);
			continue;
		}
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
			fail_msg(
			    "%s: status %d\n%s", cases[i].name, status, out);
		snprintf(want, sizeof(want), "sandbox: system call %s",
		    cases[i].name);
		assert_non_null(strstr(out, want));
		assert_non_null(strstr(out, "is refused"));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(o15_system_calls_of_a_worker),
	};

	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), r;

	snprintf(stream.sun_path, sizeof(stream.sun_path),
	    "/tmp/pusherd-sandbox-%d", (int)getpid());
	if (bind(fd, (const void *)&stream, sizeof(stream)) == -1 ||
	    listen(fd, 1) == -1)
		return 1;
	r = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(stream.sun_path);
	return r;
}
