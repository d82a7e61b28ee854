/* SPDX-License-Identifier: MIT */
/*
 * listen_unix.c: the file of a Unix socket that clients connect to: its owner
 * and its mode decide who may connect.  The socket belongs to listen.c.  Must
 * never change a file that others have put in its place while this is root.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/master/listen.h"
#include "shared/base/xmalloc.h"

int
listen_unix_give(const char *path, uid_t uid, gid_t gid)
{
	int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC), r, saved;
	struct stat st;

	if (fd == -1)
		return -1;
	r = fstat(fd, &st);
	if (r == 0 && (!S_ISSOCK(st.st_mode) || st.st_nlink != 1)) {
		errno = EPERM;
		r = -1;
	}
	if (r == 0)
		r = fchownat(fd, "", uid, gid, AT_EMPTY_PATH);
	saved = errno;
	close(fd);
	errno = saved;
	return r;
}

int
listen_unix_set_mode(const char *path, mode_t mode, char **why)
{
	struct stat st;
	int saved;

	if (chmod(path, mode) == 0 || errno == ENOENT)
		return 0; /* one that is gone is made again (remake.c) */
	saved = errno;
	if (lstat(path, &st) == 0 && (st.st_mode & 07777) == mode)
		return 0; /* somebody has set it by hand */
	*why = xasprintf("cannot set the mode of unix:%s: %s: change it by "
			 "hand (chmod %04o), and reload again",
	    path, strerror(saved), (unsigned)mode);
	return -1;
}
