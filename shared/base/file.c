/* SPDX-License-Identifier: MIT */
/*
 * file.c: reads a whole file, for programs that may wait for it, and takes
 * paths apart.  Must never be used by a serving process.
 */

#include "shared/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "shared/base/xmalloc.h"

#define STEP 4096

struct buf *
file_read(int fd, size_t max)
{
	struct buf *b = buf_new(STEP);
	ssize_t n;
	int error;

	do {
		buf_reserve(&b, STEP);
		n = read(fd, b->data + b->len, buf_room(b));
		if (n > 0)
			b->len += (uint32_t)n;
	} while (b->len <= max && (n > 0 || (n == -1 && errno == EINTR)));
	if (n == 0 && b->len <= max)
		return b;
	error = n == -1 ? errno : EFBIG;
	buf_unref(b);
	errno = error;
	return NULL;
}

struct buf *
file_read_path(const char *path, size_t max)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), saved;
	struct buf *b;

	if (fd == -1)
		return NULL;
	b = file_read(fd, max);
	saved = errno;
	close(fd);
	errno = saved;
	return b;
}

char *
file_parent(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		return xstrdup(".");
	return xstrndup(path, slash == path ? 1 : (size_t)(slash - path));
}
