/* SPDX-License-Identifier: MIT */
/*
 * outbox_lock.c: two servers that use one database by mistake must not both
 * deliver its webhooks.  Owns the lock file beside the outbox: an flock(2) on
 * it, and in it the process id and the runtime_dir of the holder, for the other
 * server's log line.  The file is never removed: a waiting courier may have it
 * open.  Must never open the outbox itself: closing any descriptor of it would
 * release the locks of SQLite.
 */

#include "broker/courier/outbox_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "shared/base/xmalloc.h"

/* Gives two names of one directory or file the same lock. */
static char *
lock_path(const char *outbox)
{
	const char *slash = strrchr(outbox, '/');
	char *real = realpath(outbox, NULL), *dir, *path;

	if (real == NULL && slash != NULL) { /* it has not been made yet */
		dir = xstrndup(outbox, (size_t)(slash - outbox) + 1);
		path = realpath(dir, NULL);
		if (path != NULL)
			real = xasprintf("%s%s", path, slash);
		free(path);
		free(dir);
	}
	path = xasprintf("%s.lock", real == NULL ? outbox : real);
	free(real);
	return path;
}

static char *
refuse(int fd, const char *outbox)
{
	char text[PATH_MAX + 32] = "", *line;
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	if (n > 0)
		text[n] = '\0';
	line = strchr(text, '\n');
	if (line != NULL)
		*line = '\0';
	return xasprintf(
	    "the outbox %s belongs to the courier of another pusherd (%s): two "
	    "servers use one database; stop one of them, or give it its own "
	    "option database or outbox",
	    outbox, text[0] == '\0' ? "its process is not known" : text);
}

int
outbox_lock_take(
    int *fd, const char *outbox, const char *runtime_dir, char **why)
{
	char *path, *text;
	int r = 0;

	if (*fd != -1)
		return 0;
	path = lock_path(outbox);
	*fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (*fd == -1) {
		*why = xasprintf("cannot use %s: %s", path, strerror(errno));
		free(path);
		return -1;
	}
	if (flock(*fd, LOCK_EX | LOCK_NB) == -1) {
		*why = errno == EWOULDBLOCK
		    ? refuse(*fd, outbox)
		    : xasprintf("cannot lock %s: %s", path, strerror(errno));
		outbox_lock_drop(fd);
		r = -1;
	} else {
		text = xasprintf(
		    "pid %d, runtime_dir %s\n", (int)getpid(), runtime_dir);
		/*
		 * Only informs the other server: a full disk is no reason to
		 * stop.
		 */
		if (ftruncate(*fd, 0) == 0)
			(void)(pwrite(*fd, text, strlen(text), 0) == -1);
		free(text);
	}
	free(path);
	return r;
}

void
outbox_lock_drop(int *fd)
{
	if (*fd != -1)
		close(*fd);
	*fd = -1;
}
