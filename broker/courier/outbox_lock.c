/* SPDX-License-Identifier: MIT */
/*
 * outbox_lock.c: two servers that use one database by mistake must not both
 * deliver its webhooks.  Owns the lock file beside the outbox: an flock(2) on
 * it, and in it the process id and the runtime_dir of the holder, for the other
 * server's log line.  The file is never removed: a waiting courier may have it
 * open.  Somebody else may remove it: therefore a byte of the outbox itself is
 * locked, too, far behind those that SQLite locks.  Must never close the outbox
 * while SQLite has it open: that would release the locks of SQLite.
 */

#include "broker/courier/outbox_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/base/xmalloc.h"

#define LOCKED_BYTE ((off_t)1 << 62)

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
refuse(const char *outbox, const char *holder)
{
	return xasprintf(
	    "the outbox %s belongs to the courier of another pusherd (%s): two "
	    "servers use one database; stop one of them, or give it its own "
	    "option database or outbox",
	    outbox, holder);
}

static char *
refuse_file(int fd, const char *outbox)
{
	char text[PATH_MAX + 32] = "", *line;
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	if (n > 0)
		text[n] = '\0';
	line = strchr(text, '\n');
	if (line != NULL)
		*line = '\0';
	return refuse(
	    outbox, text[0] == '\0' ? "its process is not known" : text);
}

static void
drop(int *fd)
{
	if (*fd != -1)
		close(*fd);
	*fd = -1;
}

/* Is it the file that has this name now? */
static bool
is_named(int fd, const char *path)
{
	struct stat here, there;

	return fd != -1 && fstat(fd, &here) == 0 && stat(path, &there) == 0 &&
	    here.st_dev == there.st_dev && here.st_ino == there.st_ino;
}

/* 1: it is new. */
static int
take_file(int *fd, const char *path, const char *outbox, char **why)
{
	if (is_named(*fd, path))
		return 0;
	drop(fd);
	*fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (*fd == -1) {
		*why = xasprintf("cannot use %s: %s", path, strerror(errno));
		return -1;
	}
	if (flock(*fd, LOCK_EX | LOCK_NB) == 0)
		return 1;
	*why = errno == EWOULDBLOCK
	    ? refuse_file(*fd, outbox)
	    : xasprintf("cannot lock %s: %s", path, strerror(errno));
	drop(fd);
	return -1;
}

/* A file that cannot be opened, or locked at all, is no reason to refuse. */
static int
take_db(int *fd, const char *outbox, char **why)
{
	struct flock lock = { .l_type = F_WRLCK,
		.l_whence = SEEK_SET,
		.l_start = LOCKED_BYTE,
		.l_len = 1 };

	if (is_named(*fd, outbox))
		return 0;
	drop(fd);
	*fd = open(outbox, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (*fd == -1 || fcntl(*fd, F_OFD_SETLK, &lock) == 0)
		return 0;
	if (errno != EAGAIN && errno != EACCES)
		return 0;
	*why = refuse(outbox,
	    "its process is not known, because its lock file was deleted");
	drop(fd);
	return -1;
}

/* Only informs the other server: a full disk is no reason to stop. */
static void
write_holder(int fd, const char *runtime_dir)
{
	char *text =
	    xasprintf("pid %d, runtime_dir %s\n", (int)getpid(), runtime_dir);

	if (ftruncate(fd, 0) == 0)
		(void)(pwrite(fd, text, strlen(text), 0) == -1);
	free(text);
}

void
outbox_lock_init(struct outbox_lock *l)
{
	l->file = l->db = -1;
}

int
outbox_lock_take(struct outbox_lock *l, const char *outbox,
    const char *runtime_dir, char **why)
{
	char *path = lock_path(outbox);
	int r = take_file(&l->file, path, outbox, why);

	free(path);
	if (r == -1 && is_named(l->db, outbox)) { /* the lock that counts */
		free(*why);
		return 0;
	}
	if (r != -1 && take_db(&l->db, outbox, why) == -1) {
		drop(&l->file); /* it is that of the other one */
		return -1;
	}
	if (r == 1)
		write_holder(l->file, runtime_dir);
	return r == -1 ? -1 : 0;
}

void
outbox_lock_drop(struct outbox_lock *l)
{
	drop(&l->file);
	drop(&l->db);
}
