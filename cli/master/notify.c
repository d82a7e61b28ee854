/* SPDX-License-Identifier: MIT */
/*
 * notify.c: the one datagram of the service manager's protocol (sd_notify(3),
 * "Notes"), so that no library is needed for it.  Owns nothing; a failure is
 * logged and never stops anything.
 */

#include "cli/master/notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "shared/base/base.h"
#include "shared/base/log.h"
#include "shared/base/str.h"

void
notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	size_t n;
	int fd;

	if (path == NULL || path[0] == '\0')
		return;
	n = strlen(path);
	if ((path[0] != '/' && path[0] != '@') || n >= sizeof(sun.sun_path)) {
		log_warnx(
		    "NOTIFY_SOCKET is not the path of a socket: %s", path);
		return;
	}
	memcpy(sun.sun_path, path, n);
	if (path[0] == '@')
		sun.sun_path[0] = '\0'; /* the abstract namespace */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1 ||
	    sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const void *)&sun,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) == -1)
		log_warn("cannot notify %s", path);
	if (fd != -1)
		close(fd);
}

uint64_t
notify_period(void)
{
	const char *usec = getenv("WATCHDOG_USEC");
	const char *pid = getenv("WATCHDOG_PID");
	uint64_t n;

	if (usec == NULL ||
	    (pid != NULL &&
		(str_to_u64(str_of(pid), INT32_MAX, &n) == -1 ||
		    n != (uint64_t)getpid())) ||
	    str_to_u64(str_of(usec), UINT64_MAX / 2, &n) == -1 || n == 0)
		return 0;
	return MAX(n / 1000 / 3, 1);
}
