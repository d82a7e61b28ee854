/* SPDX-License-Identifier: MIT */
/*
 * cmd.c: shared by the commands: arguments, help, error messages (on stderr
 * only), the database, the question to the daemon, whole files.  It knows no
 * command by name.
 */

#include "cli/cmd/cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/base/base.h"
#include "shared/base/buf.h"
#include "shared/base/log.h"
#include "shared/base/suggest.h"
#include "shared/base/xmalloc.h"

#define MAX_OPTIONS 32   /* of one verb */
#define NAMESAKES_MAX 10 /* names listed in an error */

/* ---- arguments ---- */

static int
unknown_option(const struct cmd *c, const char *arg, size_t n)
{
	const char *names[MAX_OPTIONS], *near;
	const struct cmd_option *o;
	size_t nnames = 0;

	for (o = c->verb->options; o != NULL && o->name != NULL; o++)
		if (nnames < nitems(names))
			names[nnames++] = o->name;
	near = suggest_nearest(str_make(arg, n), names, nnames);
	if (near != NULL)
		return cmd_usage(c,
		    "there is no option --%.*s; did you mean --%s?", (int)n,
		    arg, near);
	return cmd_usage(c, "there is no option --%.*s", (int)n, arg);
}

/*
 * "--name", "--name=value" or "--name value" at argv[*i]; moves *i past the
 * used words.
 */
static int
parse_option(struct cmd *c, int argc, char **argv, int *i)
{
	const char *arg = argv[*i] + 2, *value = strchr(arg, '=');
	size_t n = value != NULL ? (size_t)(value++ - arg) : strlen(arg);
	const struct cmd_option *o = c->verb->options;

	while (o != NULL && o->name != NULL &&
	    !str_eq(str_of(o->name), str_make(arg, n)))
		o++;
	/* Options of every command, unless it has one of that name itself. */
	if ((o == NULL || o->name == NULL) && strcmp(arg, "header") == 0) {
		c->header = true;
		return CMD_OK;
	}
	if (o == NULL || o->name == NULL)
		return unknown_option(c, arg, n);
	if (o->arg == NULL && value != NULL)
		return cmd_usage(c, "--%s takes no value", o->name);
	if (o->arg != NULL && value == NULL) {
		if (*i + 1 >= argc)
			return cmd_usage(
			    c, "--%s needs a value: %s", o->name, o->arg);
		value = argv[++*i];
	}
	c->values[c->nvalues++] =
	    (struct cmd_value){ o, value == NULL ? "" : value };
	return CMD_OK;
}

int
cmd_parse(struct cmd *c, int argc, char **argv)
{
	bool options = true;
	int i;

	c->args = xcalloc((size_t)argc + 1, sizeof(*c->args));
	c->values = xcalloc((size_t)argc + 1, sizeof(*c->values));
	c->before = xcalloc(1, sizeof(struct buf *));
	for (i = 0; i < argc; i++) {
		if (options && strcmp(argv[i], "--") == 0) {
			options = false;
		} else if (options &&
		    (strcmp(argv[i], "--help") == 0 ||
			strcmp(argv[i], "-h") == 0)) {
			c->help = true;
		} else if (options && strcmp(argv[i], "-j") == 0) {
			c->json = true;
		} else if (options && strncmp(argv[i], "--", 2) == 0) {
			if (parse_option(c, argc, argv, &i) != CMD_OK)
				return CMD_USAGE;
		} else {
			c->args[c->nargs++] = argv[i];
		}
	}
	if (c->help)
		return CMD_OK;
	if (c->nargs < c->verb->min)
		return cmd_usage(
		    c, "%s needs %s", c->verb->name, c->verb->args);
	if (c->nargs > c->verb->max)
		return cmd_usage(c, "\"%s\" is one argument too many",
		    c->args[c->verb->max]);
	return CMD_OK;
}

void
cmd_clear(struct cmd *c)
{
	free(c->args);
	free(c->values);
	if (c->before != NULL)
		cmd_wipe(*c->before);
	free(c->before);
	c->before = NULL;
	app_clear(&c->app);
	c->args = NULL;
	c->values = NULL;
}

const char *
cmd_value(const struct cmd *c, const char *name)
{
	size_t i;

	for (i = c->nvalues; i-- > 0;)
		if (strcmp(c->values[i].option->name, name) == 0)
			return c->values[i].value;
	return NULL;
}

bool
cmd_has(const struct cmd *c, const char *name)
{
	return cmd_value(c, name) != NULL;
}

/* ---- help and messages ---- */

#define HELP_COLUMNS 80 /* of a terminal */
#define USAGE_INDENT 7  /* "usage: " */

/*
 * Writes a piece that stays whole, behind a blank unless the line is empty, or
 * on a new line after the indent if there is no room.  at: the column.  Returns
 * the column behind it.
 */
static size_t
put_piece(FILE *f, size_t at, size_t indent, struct str piece)
{
	if (at > indent && at + 1 + piece.n > HELP_COLUMNS) {
		fprintf(f, "\n%*s", (int)indent, "");
		at = indent;
	} else if (at > indent) {
		fputc(' ', f);
		at++;
	}
	fprintf(f, "%.*s", STR_ARG(piece));
	return at + piece.n;
}

static size_t
put_words(FILE *f, size_t at, size_t indent, struct str text)
{
	while (text.p != NULL)
		at = put_piece(f, at, indent, str_cut(&text, ' '));
	return at;
}

/* Lines that are too long go on below their own indent. */
static void
put_lines(FILE *f, struct str text)
{
	struct str line;
	size_t indent;

	while (text.p != NULL) {
		line = str_cut(&text, '\n');
		for (indent = 0; str_starts(line, S(" ")); indent++)
			line = str_from(line, 1);
		fprintf(f, "%*s", (int)indent, "");
		put_words(f, indent, indent, line);
		fputc('\n', f);
	}
}

/* "--limit N"; free(3) it. */
static char *
option_text(const struct cmd_option *o)
{
	return xasprintf("--%s%s%s", o->name, o->arg != NULL ? " " : "",
	    o->arg != NULL ? o->arg : "");
}

static void
print_usage(const struct cmd_verb *v, const char *self, FILE *f)
{
	const struct cmd_option *o;
	size_t at = (size_t)fprintf(f, "usage: %s %s", self, v->name);
	char *option, *piece;

	for (o = v->options; o != NULL && o->name != NULL; o++) {
		option = option_text(o);
		piece = xasprintf("[%s]", option);
		at = put_piece(f, at, USAGE_INDENT, str_of(piece));
		free(piece);
		free(option);
	}
	if (*v->args != '\0')
		put_words(f, at, USAGE_INDENT, str_of(v->args));
	fputc('\n', f);
}

static void
print_options(const struct cmd_option *options, FILE *f)
{
	const struct cmd_option *o;
	size_t width = 0;
	char *text;

	for (o = options; o->name != NULL; o++) {
		text = option_text(o);
		width = MAX(width, strlen(text));
		free(text);
	}
	fputs("\noptions:\n", f);
	for (o = options; o->name != NULL; o++) {
		text = option_text(o);
		fprintf(f, "  %-*s  ", (int)width, text);
		put_words(f, width + 4, width + 4, str_of(o->help));
		fputc('\n', f);
		free(text);
	}
}

void
cmd_print_help(const struct cmd_verb *v, const char *self, FILE *f)
{
	print_usage(v, self, f);
	fprintf(f, "\n%s.\n", v->summary);
	if (v->text != NULL) {
		fputc('\n', f);
		put_lines(f, str_of(v->text));
	}
	if (v->options != NULL && v->options->name != NULL)
		print_options(v->options, f);
}

static bool to_log; /* of the daemon */

void
cmd_log_messages(void)
{
	to_log = true;
}

static void
message(const char *fmt, va_list ap)
{
	char text[1024];

	if (to_log) {
		vsnprintf(text, sizeof(text), fmt, ap);
		log_warnx("cluster: the apps: %s", text);
		return;
	}
	fputs("pusherctl: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
}

int
cmd_fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	message(fmt, ap);
	va_end(ap);
	return CMD_FAILED;
}

void
cmd_note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	message(fmt, ap);
	va_end(ap);
}

int
cmd_usage(const struct cmd *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	message(fmt, ap);
	va_end(ap);
	print_usage(c->verb, c->self, stderr);
	fprintf(stderr, "more: %s help %s\n", c->self, c->verb->name);
	return CMD_USAGE;
}

int
cmd_confirm(const struct cmd *c, const char *fmt, ...)
{
	char line[16];
	va_list ap;
	ssize_t n;

	if (isatty(STDIN_FILENO) != 1)
		return cmd_usage(c,
		    "stdin is not a terminal, so nobody can confirm: add "
		    "--yes");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputs(" [y/N] ", stderr);
	n = read(STDIN_FILENO, line, sizeof(line) - 1);
	line[n > 0 ? n : 0] = '\0';
	if (strcmp(line, "y\n") == 0 || strcmp(line, "yes\n") == 0)
		return CMD_OK;
	return cmd_fail("nothing was done");
}

/* ---- the database ---- */

struct namesakes {
	const char *name;
	struct buf *ids;
	size_t n;
};

static int
add_namesake(void *arg, const struct app *a)
{
	struct namesakes *l = arg;

	if (strcmp(a->name, l->name) != 0)
		return 0;
	if (l->n++ < NAMESAKES_MAX)
		buf_printf(&l->ids, "%s%s", l->n > 1 ? ", " : "", a->id);
	return 0;
}

/* No app is named, or there is more than one. */
static int
not_found(const struct cmd *c, struct appdb *db, const char *which)
{
	struct namesakes l = { .name = which };
	int r;

	if (*which != '\0' && appdb_each(db, add_namesake, &l) == -1)
		r = cmd_fail("%s", appdb_error(db));
	else if (l.n > 1)
		r = cmd_fail("%zu apps have the name \"%s\": say which by its "
			     "id: %.*s%s",
		    l.n, which, STR_ARG(buf_str(l.ids)),
		    l.n > NAMESAKES_MAX ? ", ..." : "");
	else
		r = cmd_fail("no app has the id, the key or the name \"%s\"; "
			     "to see them: %s app list",
		    which, c->self);
	buf_unref(l.ids);
	return r;
}

int
cmd_find_app(
    const struct cmd *c, struct appdb *db, const char *which, struct app *app)
{
	switch (appdb_find(db, which, app)) {
	case 1:
		if (c->scope == NULL || strcmp(c->scope, app->id) == 0)
			return CMD_OK;
		app_clear(app);
		return cmd_fail(
		    "this session is for the app %s only", c->scope);
	case 0:
		return not_found(c, db, which);
	default:
		return cmd_fail("%s", appdb_error(db));
	}
}

int
cmd_read_span(const char *text, uint64_t *seconds)
{
	static const struct {
		char letter;
		uint64_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
	size_t n = strlen(text);
	uint64_t v;

	if (n < 2 || str_to_u64(str_make(text, n - 1), 1000 * 86400, &v) == -1)
		return -1;
	for (size_t i = 0; i < nitems(units); i++)
		if (text[n - 1] == units[i].letter) {
			*seconds = v * units[i].seconds;
			return 0;
		}
	return -1;
}

int
cmd_read_app(const struct cmd *c, const char *which, struct app *app)
{
	struct appdb *db = cmd_open_db(c, APPDB_READ);
	int r;

	if (db == NULL)
		return CMD_FAILED;
	r = cmd_find_app(c, db, which, app);
	appdb_close(db);
	return r;
}
