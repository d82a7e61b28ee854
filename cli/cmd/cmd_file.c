/* SPDX-License-Identifier: MIT */
/*
 * cmd_file.c: what commands need besides pusherd: a file read whole, and a
 * word as the shell wants it.  Errors go to stderr.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cli/cmd/cmd.h"
#include "shared/base/buf.h"
#include "shared/base/xmalloc.h"

struct buf *
cmd_read_file(const char *path, size_t max)
{
	bool from_stdin = strcmp(path, "-") == 0;
	int fd = from_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	const char *name = from_stdin ? "stdin" : path;
	struct buf *b = buf_new(4096);
	ssize_t n = -1;

	while (fd != -1) {
		buf_reserve(&b, 4096);
		n = read(fd, b->data + b->len, buf_room(b));
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		b->len += (uint32_t)n;
		if (b->len > max)
			break;
	}
	if (n == -1)
		cmd_fail("%s: %s", name, strerror(errno));
	else if (b->len > max)
		cmd_fail("%s: more than %zu bytes", name, max);
	if (fd != -1 && !from_stdin)
		close(fd);
	if (n == -1 || b->len > max) {
		buf_unref(b);
		return NULL;
	}
	return b;
}

char *
cmd_shell_quote(const char *word)
{
	static const char safe[] = "abcdefghijklmnopqrstuvwxyz"
				   "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "0123456789_-./:=,@%+";
	struct buf *b = NULL;
	char *s;

	if (*word != '\0' && word[strspn(word, safe)] == '\0')
		return xstrdup(word);
	buf_putc(&b, '\'');
	for (; *word != '\0'; word++) {
		if (*word == '\'')
			buf_append(&b, S("'\\''"));
		else
			buf_putc(&b, *word);
	}
	buf_putc(&b, '\'');
	s = str_dup(buf_str(b));
	buf_unref(b);
	return s;
}
