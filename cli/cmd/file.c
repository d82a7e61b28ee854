/* SPDX-License-Identifier: MIT */
/*
 * file.c: shared by commands, without pusherd: a file read whole, and a word
 * quoted for the shell.  Errors go to stderr.
 */

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "cli/cmd/cmd.h"
#include "shared/base/file.h"
#include "shared/base/xmalloc.h"

struct buf *
cmd_read_file(const char *path, size_t max)
{
	bool is_stdin = strcmp(path, "-") == 0;
	const char *name = is_stdin ? "stdin" : path;
	struct buf *b;

	b = is_stdin ? file_read(STDIN_FILENO, max) : file_read_path(path, max);
	if (b == NULL && errno == EFBIG)
		cmd_fail("%s: more than %zu bytes", name, max);
	else if (b == NULL)
		cmd_fail("%s: %s", name, strerror(errno));
	return b;
}

void
cmd_wipe(struct buf *b)
{
	if (b != NULL)
		explicit_bzero(b->data, b->cap);
	buf_unref(b);
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
