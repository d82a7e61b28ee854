/* SPDX-License-Identifier: MIT */
/*
 * listen_file.c: the addresses, for people and programs: a line of the log, and
 * the file in the runtime directory, which is written atomically.  Opens no
 * socket; the set belongs to listen.c.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/master/listen.h"
#include "shared/base/buf.h"
#include "shared/base/xmalloc.h"

static char *
join(const struct listen_set *l, const char *between, const char *end)
{
	struct buf *b = NULL;
	char text[SOCK_TEXT_MAX], *out;
	size_t i;

	for (i = 0; i < l->n; i++) {
		sock_addr_text(&l->v[i]->addr, text, sizeof(text));
		buf_printf(&b, "%s%s", i == 0 ? "" : between, text);
		if (l->v[i]->role != LISTEN_PUBLIC)
			buf_printf(
			    &b, " (%s)", listen_role_text(l->v[i]->role));
	}
	buf_printf(&b, "%s", end);
	out = xstrndup(b->data, b->len);
	buf_unref(b);
	return out;
}

char *
listen_text(const struct listen_set *l)
{
	return join(l, ", ", "");
}

/* 0, or -1 with errno. */
static int
write_file(const char *path, struct str text)
{
	int fd, saved;
	ssize_t n;

	fd = open(
	    path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd == -1)
		return -1;
	errno = ENOSPC; /* of a write that is short */
	n = write(fd, text.p, text.n);
	saved = errno;
	close(fd);
	errno = saved;
	return n == (ssize_t)text.n ? 0 : -1;
}

int
listen_write(const struct listen_set *l, const char *path, char **why)
{
	char *text = join(l, "\n", "\n");
	char *fresh = xasprintf("%s.new", path);
	int r = write_file(fresh, str_of(text));

	if (r == 0)
		r = rename(fresh, path);
	if (r == -1) {
		*why = xasprintf("cannot write %s: %s", path, strerror(errno));
		unlink(fresh);
	}
	free(fresh);
	free(text);
	return r;
}
