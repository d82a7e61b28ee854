/* SPDX-License-Identifier: MIT */
/*
 * fdpass.c: messages arrive whole with their descriptors, or not at all, and no
 * descriptor is lost.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/base/base.h"
#include "shared/base/xmalloc.h"
#include "shared/ipc/fdpass.h"

/* The lowest free number: the same as long as nothing leaks. */
static int
next_fd(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	close(fd);
	return fd;
}

static void
test_messages(void **state)
{
	static const size_t sizes[] = { 1, 8, 4096, FDPASS_BYTES };
	char *bytes = xmalloc(FDPASS_BYTES), *got = xmalloc(FDPASS_BYTES);
	int ends[2], fds[FDPASS_FDS], back[FDPASS_FDS], before;
	size_t n, k;

	memset(bytes, 7, FDPASS_BYTES);
	assert_int_equal(fdpass_pair(ends), 0);
	before = next_fd();
	for (size_t i = 0; i < nitems(sizes); i++) {
		for (k = 0; k < i * 20; k++)
			fds[k] = STDERR_FILENO;
		assert_int_equal(
		    fdpass_send(ends[0], bytes, sizes[i], fds, i * 20), 0);
		assert_int_equal(
		    fdpass_recv(ends[1], got, FDPASS_BYTES, back, &n),
		    sizes[i]);
		assert_memory_equal(bytes, got, sizes[i]);
		assert_int_equal(n, i * 20);
		for (k = 0; k < n; k++) {
			assert_true(
			    (fcntl(back[k], F_GETFD) & FD_CLOEXEC) != 0);
			close(back[k]);
		}
	}
	assert_int_equal(next_fd(), before);
	assert_int_equal(fdpass_recv(ends[1], got, FDPASS_BYTES, back, &n), -1);
	assert_int_equal(errno, EAGAIN);
	close(ends[0]);
	assert_int_equal(fdpass_recv(ends[1], got, FDPASS_BYTES, back, &n), 0);
	assert_int_equal(fdpass_send(ends[1], bytes, 1, NULL, 0), -1);
	close(ends[1]);
	free(bytes);
	free(got);
}

static void
test_bounds(void **state)
{
	char *bytes = xcalloc(1, FDPASS_BYTES + 1), got[16];
	int ends[2], fds[FDPASS_FDS + 1] = { 0 }, back[FDPASS_FDS], before;
	size_t n;

	assert_int_equal(fdpass_pair(ends), 0);
	assert_int_equal(
	    fdpass_send(ends[0], bytes, FDPASS_BYTES + 1, NULL, 0), -1);
	assert_int_equal(errno, EMSGSIZE);
	assert_int_equal(
	    fdpass_send(ends[0], bytes, 1, fds, FDPASS_FDS + 1), -1);
	assert_int_equal(errno, EMSGSIZE);
	/* A message that is cut off is thrown away, with its descriptors. */
	before = next_fd();
	fds[0] = STDERR_FILENO;
	assert_int_equal(fdpass_send(ends[0], bytes, 17, fds, 1), 0);
	assert_int_equal(fdpass_recv(ends[1], got, sizeof(got), back, &n), -1);
	assert_int_equal(errno, EMSGSIZE);
	assert_int_equal(n, 0);
	assert_int_equal(next_fd(), before);
	/* Nobody reads: it fails, and does not wait. */
	while (fdpass_send(ends[0], bytes, FDPASS_BYTES, NULL, 0) == 0)
		continue;
	assert_int_equal(errno, EAGAIN);
	close(ends[0]);
	close(ends[1]);
	free(bytes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
