/* SPDX-License-Identifier: MIT */
/*
 * conf_read.c: the sources of configuration: the file, the environment, the
 * command line, and their precedence.  Cuts text into names and values and
 * passes them to conf_set(), which checks them.  Any bytes may stand in the
 * file.  Never prints, never exits, keeps nothing.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/base/base.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "shared/conf/env_link.h"
#include "shared/conf/env_names.h"
#include "shared/net/ws_frame.h"

#define FILE_BYTES_MAX (1u << 20)
#define ENV_PREFIX "PUSHERD_"
#define SOURCE "environment" /* bytes shown of a value of the environment */

struct line {
	const char *file;
	unsigned number;
	struct str name;
	char *value; /* room for the whole line */
	size_t nvalue;
};

static int
refuse_line(const struct line *l, const char *what, char **why)
{
	*why = xasprintf("%s:%u: %s", l->file, l->number, what);
	return -1;
}

static int
refuse_empty(const struct line *l, char **why)
{
	char *what = xasprintf("there is no value for %.*s: write `name value`,"
			       " and \"\" for an empty one",
	    (int)MIN(l->name.n, 64), l->name.p);
	int r = refuse_line(l, what, why);

	free(what);
	return r;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* A value in quotes: \" and \\ stand for themselves, the rest is literal. */
static int
read_quoted(struct line *l, struct str rest, char **why)
{
	size_t i;

	l->nvalue = 0;
	for (i = 1; i < rest.n && rest.p[i] != '"'; i++) {
		if (rest.p[i] == '\\') {
			if (++i == rest.n ||
			    (rest.p[i] != '"' && rest.p[i] != '\\'))
				return refuse_line(l,
				    "in quotes a \\ must be followed by \" or "
				    "\\",
				    why);
		}
		l->value[l->nvalue++] = rest.p[i];
	}
	if (i >= rest.n)
		return refuse_line(l, "the closing quote is missing", why);
	rest = str_trim(str_from(rest, i + 1));
	if (rest.n > 0 && rest.p[0] != '#')
		return refuse_line(
		    l, "something follows the closing quote", why);
	return 0;
}

/* A bare value ends at the end of the line or at a comment. */
static int
read_bare(struct line *l, struct str rest, char **why)
{
	size_t i;

	for (i = 0; i < rest.n; i++)
		if (rest.p[i] == '#' && (i == 0 || is_blank(rest.p[i - 1])))
			break;
	rest = str_trim(str_make(rest.p, i));
	if (rest.n == 0)
		return refuse_empty(l, why);
	if (rest.p[0] == '=')
		return refuse_line(l, "write `name value`, without =", why);
	memcpy(l->value, rest.p, rest.n);
	l->nvalue = rest.n;
	return 0;
}

static int
read_line(struct conf *c, struct line *l, struct str text, char **why)
{
	struct str rest;
	size_t i;

	if (text.n > 0 && text.p[text.n - 1] == '\r')
		text.n--;
	text = str_trim(text);
	if (text.n == 0 || text.p[0] == '#')
		return 0;
	if (memchr(text.p, '\0', text.n) != NULL)
		return refuse_line(l,
		    "there is a NUL byte: is this file "
		    "really a configuration?",
		    why);
	for (i = 0; i < text.n && !is_blank(text.p[i]); i++)
		if (text.p[i] == '=')
			return refuse_line(
			    l, "write `name value`, without =", why);
	l->name = str_make(text.p, i);
	if (!utf8_is_valid(l->name))
		return refuse_line(l, "the option's name is not UTF-8", why);
	rest = str_trim(str_from(text, i));
	if (rest.n > 0 && rest.p[0] == '"') {
		if (read_quoted(l, rest, why) == -1)
			return -1;
	} else if (read_bare(l, rest, why) == -1) {
		return -1;
	}
	return conf_set(
	    c, l->name, str_make(l->value, l->nvalue), l->file, l->number, why);
}

int
conf_read_text(struct conf *c, const char *name, struct str text, char **why)
{
	struct line l = { .file = name };
	int r = 0;

	text = str_skip_bom(text);
	l.value = xmalloc(text.n + 1);
	while (r == 0 && text.p != NULL) {
		l.number++;
		r = read_line(c, &l, str_cut(&text, '\n'), why);
	}
	free(l.value);
	return r;
}

/* The whole file, or -1 with errno (EFBIG: too large). */
static ssize_t
slurp(const char *path, char out[FILE_BYTES_MAX])
{
	struct stat st;
	size_t n = 0;
	ssize_t r;
	int fd, saved;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd == -1)
		return -1;
	errno = EISDIR;
	r = fstat(fd, &st) == 0 && S_ISDIR(st.st_mode) ? -1 : 1;
	while (r > 0 && n < FILE_BYTES_MAX) {
		r = read(fd, out + n, FILE_BYTES_MAX - n);
		if (r > 0)
			n += (size_t)r;
		else if (r == -1 && errno == EINTR)
			r = 1;
	}
	saved = errno;
	close(fd);
	errno = r > 0 ? EFBIG : saved;
	return r == 0 ? (ssize_t)n : -1;
}

/* What to do after an error of slurp(). */
static const char *
read_remedy(int error)
{
	switch (error) {
	case ENOENT:
		return ": -c has to name a file that exists";
	case EISDIR:
		return ": -c has to name a file";
	case EACCES:
		return ": run this as root, or as a user who may read it";
	case EFBIG:
		return ": it may have 1 MiB";
	default:
		return "";
	}
}

static int
read_file(struct conf *c, const char *path, char **why)
{
	char *text = xmalloc(FILE_BYTES_MAX);
	ssize_t n;
	int r;

	n = slurp(path, text);
	if (n == -1) {
		*why = xasprintf("cannot read the configuration file %s: %s%s",
		    path, strerror(errno), read_remedy(errno));
		r = -1;
	} else {
		r = conf_read_text(c, path, str_make(text, (size_t)n), why);
	}
	free(text);
	return r;
}

/* PUSHERD_LOG_LEVEL is log_level. */
static int
read_variable(struct conf *c, struct str variable, struct str value, char **why)
{
	char name[64], *sentence;
	size_t i;

	for (i = 0; i < variable.n && i < sizeof(name); i++) {
		name[i] = variable.p[i];
		if (name[i] >= 'A' && name[i] <= 'Z')
			name[i] = (char)(name[i] - 'A' + 'a');
		else if (name[i] != '_' && (name[i] < '0' || name[i] > '9'))
			break;
	}
	if (i < variable.n || i == 0) {
		*why = xasprintf("environment: there is no option for %s%.*s; "
				 "names are all upper case",
		    ENV_PREFIX, (int)MIN(variable.n, 64), variable.p);
		return -1;
	}
	if (conf_set(c, str_make(name, i), value, SOURCE, 0, why) == 0)
		return 0;
	/* "environment: …" becomes "environment variable PUSHERD_…: …". */
	sentence = *why;
	*why = xasprintf("%s variable %s%.*s%s", SOURCE, ENV_PREFIX,
	    STR_ARG(variable), sentence + strlen(SOURCE));
	free(sentence);
	return -1;
}

static int
read_environment(struct conf *c, char **why)
{
	struct str rest, name;
	char **e;

	if (env_names_apply(c, why) == -1)
		return -1;
	for (e = environ; e != NULL && *e != NULL; e++) {
		rest = str_of(*e);
		if (!str_starts(rest, S(ENV_PREFIX)))
			continue;
		name = str_cut(&rest, '=');
		if (env_link_is(name, rest))
			continue; /* env_names_apply() has a note for it */
		name = str_from(name, sizeof(ENV_PREFIX) - 1);
		if (rest.p != NULL && read_variable(c, name, rest, why) == -1)
			return -1;
	}
	return 0;
}

int
conf_read_argument(struct conf *c, const char *text, char **why)
{
	struct str rest = str_of(text), name;

	name = str_cut(&rest, '=');
	if (rest.p == NULL) {
		*why = xasprintf(
		    "command line: -o %.64s has no value: write -o NAME=VALUE",
		    text);
		return -1;
	}
	return conf_set(
	    c, str_trim(name), str_trim(rest), "command line", 0, why);
}

/*
 * Others are told the whole path, in JSON: name and directory must be UTF-8, as
 * every value must.
 */
static int
check_name(const struct conf *c, const char *file, char **why)
{
	char *path = conf_full_path(c, file);
	const char *known = path != NULL ? path : file;
	int r = utf8_is_valid(str_of(known)) ? 0 : -1;

	if (r == -1)
		*why = xasprintf("the path of the configuration file %s is not "
				 "UTF-8: rename it",
		    known);
	free(path);
	return r;
}

const char *
conf_file_read(const char *file)
{
	if (file != NULL)
		return file;
	return access(CONF_DEFAULT_FILE, F_OK) == 0 || errno != ENOENT
	    ? CONF_DEFAULT_FILE
	    : NULL;
}

static int
read_all(struct conf *c, const char *file, char *const *arguments,
    size_t narguments, char **why)
{
	size_t i;

	file = conf_file_read(file);
	if (file != NULL &&
	    (check_name(c, file, why) == -1 || read_file(c, file, why) == -1))
		return -1;
	if (read_environment(c, why) == -1)
		return -1;
	for (i = 0; i < narguments; i++)
		if (conf_read_argument(c, arguments[i], why) == -1)
			return -1;
	return conf_finish(c, why);
}

/* Uses each line that can be read; the others do not matter. */
static void
read_what_is_right(struct conf *c, const char *path)
{
	char *text = xmalloc(FILE_BYTES_MAX), *why;
	ssize_t n = slurp(path, text);
	struct str rest = str_make(text, (size_t)MAX(n, 0));
	struct line l = { .file = path };

	l.value = xmalloc(rest.n + 1);
	while (rest.p != NULL) {
		l.number++;
		if (read_line(c, &l, str_cut(&rest, '\n'), &why) == -1)
			free(why);
	}
	free(l.value);
	free(text);
}

char *
conf_find_socket(
    const char *file, char *const *arguments, size_t narguments, bool *is_said)
{
	const char *dir = getenv(ENV_PREFIX "RUNTIME_DIR");
	struct conf c;
	char *path = NULL, *why = NULL;
	size_t i;
	int r = 0;

	conf_init(&c);
	read_what_is_right(&c, file != NULL ? file : CONF_DEFAULT_FILE);
	if (dir != NULL)
		r = conf_set(
		    &c, S("runtime_dir"), str_of(dir), SOURCE, 0, &why);
	for (i = 0; r == 0 && i < narguments; i++)
		r = conf_read_argument(&c, arguments[i], &why);
	*is_said = strcmp(conf_origin(&c, "runtime_dir"), "default") != 0;
	if (r == 0 && conf_finish_paths(&c, &why) == 0)
		path = xstrdup(c.control_path);
	free(why);
	conf_clear(&c);
	return path;
}

int
conf_load(struct conf *c, const char *file, char *const *arguments,
    size_t narguments, char **why)
{
	return conf_load_again(c, NULL, file, arguments, narguments, why);
}

int
conf_load_again(struct conf *c, const char *base, const char *file,
    char *const *arguments, size_t narguments, char **why)
{
	conf_init(c);
	if (base != NULL)
		c->base = xstrdup(base);
	if (read_all(c, file, arguments, narguments, why) == 0)
		return 0;
	conf_clear(c);
	return -1;
}
