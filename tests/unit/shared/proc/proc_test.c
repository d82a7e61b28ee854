/* SPDX-License-Identifier: MIT */
/* proc.c: titles, descriptors, users, and the id of the build. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/base/base.h"
#include "shared/base/str.h"
#include "shared/proc/proc.h"

/* Runs f in a child; it says whether all was well. */
static void
in_a_child(bool (*f)(void))
{
	pid_t pid = fork();
	int status;

	assert_int_not_equal(pid, -1);
	if (pid == 0)
		_exit(f() ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void
cmdline(char *out, size_t cap)
{
	int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
	ssize_t n;

	assert_int_not_equal(fd, -1);
	n = read(fd, out, cap - 1);
	assert_true(n >= 0);
	out[n] = '\0';
	close(fd);
}

static void
titles(void **state)
{
	char text[512], wide[400];

	(void)state;
	assert_string_equal(getenv("PUSHERD_TEST_ENV"), "kept");
	proc_title("pusherd: worker %d", 2);
	cmdline(text, sizeof(text));
	assert_string_equal(text, "pusherd: worker 2");
	/* shorter: nothing of the longer one is left */
	proc_title("x");
	cmdline(text, sizeof(text));
	assert_string_equal(text, "x");
	/* longer than the place there is: cut, and nothing else broken */
	memset(wide, 'w', sizeof(wide) - 1);
	wide[sizeof(wide) - 1] = '\0';
	proc_title("%s", wide);
	cmdline(text, sizeof(text));
	assert_int_equal(strspn(text, "w"), strlen(text));
	assert_string_equal(getenv("PUSHERD_TEST_ENV"), "kept");
	assert_int_equal(setenv("PUSHERD_TEST_ENV2", "new", 1), 0);
	assert_string_equal(getenv("PUSHERD_TEST_ENV2"), "new");
	assert_non_null(strstr(program_invocation_short_name, "proc_test"));
}

static bool
closes_all_but(void)
{
	int fds[6], keep[3], i;

	for (i = 0; i < 6; i++)
		if ((fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC)) == -1)
			return false;
	/* in no order, one twice, and one that is not open (-1) */
	keep[0] = fds[4];
	keep[1] = -1;
	keep[2] = fds[1];
	proc_close_others(keep, nitems(keep));
	for (i = 0; i < 6; i++)
		if ((fcntl(fds[i], F_GETFD) != -1) != (i == 4 || i == 1))
			return false;
	for (i = 0; i <= STDERR_FILENO; i++)
		if (fcntl(i, F_GETFD) == -1)
			return false;
	proc_close_others(NULL, 0);
	return fcntl(fds[4], F_GETFD) == -1 && fcntl(fds[1], F_GETFD) == -1;
}

static void
closing_descriptors(void **state)
{
	(void)state;
	in_a_child(closes_all_but);
}

static bool
drops_root(void)
{
	uid_t uid;
	gid_t gid;

	if (proc_find_user("nobody", &uid, &gid) == -1)
		return false;
	if (geteuid() != 0) {
		errno = 0;
		return proc_drop_privileges("nobody") == -1 && errno == EPERM;
	}
	if (proc_drop_privileges("nobody") == -1)
		return false;
	return getuid() == uid && geteuid() == uid && getegid() == gid &&
	    setuid(0) == -1 && proc_drop_privileges("nobody") == 0 &&
	    proc_drop_privileges("root") == -1 && errno == EPERM;
}

static void
users(void **state)
{
	uid_t uid;
	gid_t gid;

	(void)state;
	assert_int_equal(proc_find_user("root", &uid, &gid), 0);
	assert_int_equal(uid, 0);
	assert_int_equal(proc_find_user("no-such-user-here", &uid, &gid), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(proc_drop_privileges("no-such-user-here"), -1);
	assert_int_equal(errno, ENOENT);
	in_a_child(drops_root);
}

static bool
leaves_the_terminal(void)
{
	pid_t session = getsid(0);
	int fds[2], status;
	char ok = 0;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) == -1 || (pid = fork()) == -1)
		return false;
	if (pid == 0) {
		close(fds[0]);
		if (proc_daemonize() == 0 && getsid(0) != session &&
		    !isatty(STDIN_FILENO) &&
		    write(fds[1], "y", 1) == 1) /* to the test */
			_exit(0);
		_exit(1);
	}
	close(fds[1]);
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
	    WEXITSTATUS(status) == 0 && read(fds[0], &ok, 1) == 1 && ok == 'y';
}

static void
daemons(void **state)
{
	(void)state;
	in_a_child(leaves_the_terminal);
}

static volatile sig_atomic_t got;

static void
on_signal(int sig)
{
	got = sig;
}

static void
signals(void **state)
{
	struct sigaction sa;

	(void)state;
	proc_signal(SIGUSR1, on_signal);
	raise(SIGUSR1);
	assert_int_equal(got, SIGUSR1);
	assert_int_equal(sigaction(SIGUSR1, NULL, &sa), 0);
	assert_int_equal(sa.sa_flags & SA_RESTART, 0);
	proc_signal(SIGUSR1, SIG_IGN);
	got = 0;
	raise(SIGUSR1);
	assert_int_equal(got, 0);
	proc_signal(SIGUSR1, SIG_DFL);
}

static void
limits_and_ids(void **state)
{
	const char *id = proc_build_id();
	struct rlimit r;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &r), 0);
	assert_int_equal(proc_raise_nofile(), r.rlim_max);
	assert_int_not_equal(proc_random(), proc_random());
	assert_true(str_starts(str_of(id), S(PUSHERD_VERSION)));
	assert_ptr_equal(proc_build_id(), id);
	assert_true(strlen(id) < 160);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(titles),
		cmocka_unit_test(closing_descriptors),
		cmocka_unit_test(users),
		cmocka_unit_test(daemons),
		cmocka_unit_test(signals),
		cmocka_unit_test(limits_and_ids),
	};

	if (getenv("PUSHERD_TEST_ENV") == NULL) {
		/* once more, with a variable in the area of the title */
		setenv("PUSHERD_TEST_ENV", "kept", 1);
		execv(argv[0], argv);
		return 1;
	}
	proc_title_init(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
