/* SPDX-License-Identifier: MIT */
/*
 * config_set.c: `pusherctl config set` changes one option of the running
 * pusherd; `config rewrite` writes what was set so into the configuration
 * file, as the user who calls it.  The file is replaced as a whole or not at
 * all.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cmd/cmd.h"
#include "cli/cmd/conf_ask.h"
#include "shared/base/base.h"
#include "shared/base/buf.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf_change.h"
#include "shared/conf/conf_rewrite.h"

#define FILE_MAX (1u << 20)

static void
on_set(void *arg, struct json row)
{
	char *notes = json_dup(json_get(row, S("needs_restart")));

	if (notes != NULL)
		cmd_note("needs a restart: %s", notes);
	free(notes);
}

int
cmd_config_set(struct cmd *c)
{
	char *set = xasprintf("%s=%s", c->args[0], c->args[1]);
	int r = cmd_ask(c, "config-set", cmd_args("set", set), on_set, c);

	free(set);
	c->nargs = 1;
	return r == CMD_OK ? cmd_config(c) : r;
}

/* ---- config rewrite ---- */

struct rewriting {
	const struct cmd *c;
	char *path; /* of the file, without links */
	struct conf_rewrite *v;
	size_t n;
	char *other; /* another file that pusherd reads; or NULL */
};

static void
add(struct rewriting *w, const char *name, const char *value)
{
	struct conf_rewrite *last = w->n > 0 ? &w->v[w->n - 1] : NULL;
	char *all;

	if (last != NULL && strcmp(last->name, name) == 0) {
		all = xasprintf("%s, %s", last->value, value);
		free(last->value);
		last->value = all;
		return;
	}
	w->v = xreallocarray(w->v, w->n + 1, sizeof(*w->v));
	w->v[w->n++] = (struct conf_rewrite){ .name = xstrdup(name),
		.value = xstrdup(value) };
}

static void
take(void *arg, const char *name, const char *value, const char *origin)
{
	struct rewriting *w = arg;
	const char *colon = strrchr(origin, ':');
	char *path, *real;

	if (str_starts(str_of(origin), S(CONF_SET))) {
		add(w, name, value);
		if (str_starts(str_of(origin), S(CONF_SET_OVER)))
			cmd_note("%s: the %s overrides the file: remove it "
				 "there",
			    name, origin + strlen(CONF_SET_OVER));
	} else if (colon != NULL && origin[0] == '/') {
		path = xstrndup(origin, (size_t)(colon - origin));
		real = realpath(path, NULL);
		if (w->other == NULL && real != NULL &&
		    strcmp(real, w->path) != 0)
			w->other = xstrdup(path);
		free(real);
		free(path);
	}
}

static void
on_row(void *arg, struct json row)
{
	conf_ask_read(row, take, arg);
}

static int
write_all(int fd, struct str s)
{
	ssize_t n;

	while (s.n > 0) {
		n = write(fd, s.p, s.n);
		if (n == -1 && errno != EINTR)
			return -1;
		s = str_from(s, (size_t)MAX(n, 0));
	}
	return fsync(fd);
}

/* The directory entry, too, has to be on the disk. */
static void
sync_directory(const char *path)
{
	char *dir = xstrndup(path, (size_t)(strrchr(path, '/') - path + 1));
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd != -1) {
		fsync(fd);
		close(fd);
	}
	free(dir);
}

/* A new file with owner and mode of the old one takes its place. */
static int
replace_file(const char *path, struct str text)
{
	char *tmp = xasprintf("%s.XXXXXX", path);
	struct stat st;
	int fd = -1, saved;

	errno = EACCES;
	if (stat(path, &st) == -1 || (st.st_mode & 0222) == 0 ||
	    access(path, W_OK) == -1 || (fd = mkostemp(tmp, O_CLOEXEC)) == -1) {
		free(tmp);
		return -1;
	}
	if (fchown(fd, st.st_uid, st.st_gid) == -1 ||
	    fchmod(fd, st.st_mode & 07777) == -1 || write_all(fd, text) == -1 ||
	    rename(tmp, path) == -1) {
		saved = errno;
		unlink(tmp);
		close(fd);
		free(tmp);
		errno = saved;
		return -1;
	}
	close(fd);
	free(tmp);
	sync_directory(path);
	return 0;
}

static int
rewrite(struct rewriting *w)
{
	struct buf *old = cmd_read_file(w->path, FILE_MAX), *b = NULL;
	struct conf check;
	char *why = NULL;
	int r = CMD_FAILED;

	if (old == NULL)
		return CMD_FAILED;
	conf_rewrite(buf_str(old), w->v, w->n, &b);
	conf_init(&check);
	if (conf_read_text(&check, w->path, buf_str(b), &why) == -1)
		cmd_fail("%s; nothing is written", why);
	else if (replace_file(w->path, buf_str(b)) == -1)
		cmd_fail("%s: %s; the file stays as it is", w->path,
		    strerror(errno));
	else
		r = CMD_OK;
	free(why);
	conf_clear(&check);
	buf_unref(b);
	buf_unref(old);
	return r;
}

static void
put_rows(const struct rewriting *w)
{
	struct out *o = w->c->out;

	out_table_open(o, NULL, "option value file");
	for (size_t i = 0; i < w->n; i++) {
		out_row_open(o);
		out_text(o, "option", w->v[i].name);
		out_text(o, "value", w->v[i].value);
		out_text(o, "file", w->path);
		out_row_close(o);
	}
	out_table_close(o);
}

int
cmd_config_rewrite(struct cmd *c)
{
	const char *file = c->file == NULL ? CONF_DEFAULT_FILE : c->file;
	struct rewriting w = { .c = c, .path = realpath(file, NULL) };
	int r;

	if (w.path == NULL)
		return cmd_fail("%s: %s; -c names the configuration file", file,
		    strerror(errno));
	r = cmd_ask(c, "config", NULL, on_row, &w);
	if (r == CMD_OK && w.other != NULL)
		r = cmd_fail("pusherd reads %s: call pusherctl with -c %s",
		    w.other, w.other);
	if (r == CMD_OK && w.n == 0)
		cmd_note("nothing was set by config set since the last reload");
	if (r == CMD_OK && w.n > 0)
		r = rewrite(&w);
	if (r == CMD_OK)
		put_rows(&w);
	for (size_t i = 0; i < w.n; i++) {
		free(w.v[i].name);
		free(w.v[i].value);
	}
	free(w.v);
	free(w.other);
	free(w.path);
	return r;
}
