/* SPDX-License-Identifier: MIT */
/*
 * activation.c: the three variables of socket activation (sd_listen_fds(3),
 * "Notes"), so that no library is needed for it.  Runs before anything else is
 * opened.  Only listening stream sockets are taken.
 */

#include "cli/master/activation.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/base/log.h"
#include "shared/base/str.h"
#include "shared/net/sock.h"

static uint64_t
number(const char *name, uint64_t max)
{
	const char *v = getenv(name);
	uint64_t n;

	return v != NULL && str_to_u64(str_of(v), max, &n) == 0 ? n : 0;
}

static bool
is_listening(int fd)
{
	int on = 0, type = 0;
	socklen_t len = sizeof(on);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &len) == 0 &&
	    on != 0 && getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
	    type == SOCK_STREAM;
}

size_t
activation_take(void)
{
	size_t n = 0, i;

	if (number("LISTEN_PID", INT32_MAX) == (uint64_t)getpid())
		n = number("LISTEN_FDS", ACTIVATION_MAX);
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	for (i = 0; i < n; i++) {
		int fd = ACTIVATION_FIRST + (int)i;

		if (!is_listening(fd)) {
			log_warnx("descriptor %d of the service manager is not "
				  "a listening socket: it is not used",
			    fd);
			continue;
		}
		sock_set_nonblock(fd);
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	}
	return n;
}
