/* SPDX-License-Identifier: MIT */
/*
 * conf_print.c: prints a configuration (`pusherd -T`) and writes the commented
 * example file, from the list in conf_options.def.  conf_read_text() can read
 * both.  Writes only to the given stream.
 */

#include <inttypes.h>

#include "shared/base/buf.h"
#include "shared/conf/conf.h"
#include "shared/conf/conf_rewrite.h"

static void
put_value(FILE *f, const char *v)
{
	struct buf *b = NULL;

	conf_put_value(&b, v);
	fwrite(b->data, 1, b->len, f);
	buf_unref(b);
}

static void
each_number(const char *name, uint64_t n, const char *origin, conf_each_fn fn,
    void *arg)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, n);
	fn(arg, name, text, origin);
}

static void
each_list(const char *name, const struct conf_list *l, const char *origin,
    conf_each_fn fn, void *arg)
{
	size_t i;

	if (l->n == 0)
		fn(arg, name, "", origin);
	for (i = 0; i < l->n; i++)
		fn(arg, name, l->v[i], l->origins[i]);
}

void
conf_each(const struct conf *c, conf_each_fn fn, void *arg)
{
	char *const *origin = c->origin;

#define CONF_TEXT(name, def, help) fn(arg, #name, c->name, *origin++);
#define CONF_PATH(name, def, help) fn(arg, #name, c->name, *origin++);
#define CONF_LIST(name, def, help) \
	each_list(#name, &c->name, *origin++, fn, arg);
#define CONF_UINT(name, def, min, max, help) \
	each_number(#name, c->name, *origin++, fn, arg);
#define CONF_ENUM(name, def, choices, help) fn(arg, #name, c->name, *origin++);
#define CONF_BOOL(name, def, help) \
	fn(arg, #name, c->name ? "on" : "off", *origin++);
#include "shared/conf/conf_options.def"
}

static void
put_line(void *arg, const char *name, const char *value, const char *origin)
{
	FILE *f = arg;

	fprintf(f, "%s ", name);
	put_value(f, value);
	fprintf(f, "    # %s\n", origin);
}

void
conf_print(const struct conf *c, FILE *f)
{
	conf_each(c, put_line, f);
}

/* An option's help, its allowed values, and its default as a comment. */
static void
put_example(FILE *f, const char *name, const char *def, const char *help,
    const char *range)
{
	fprintf(f, "\n# %s.\n", help);
	if (range[0] != '\0')
		fprintf(f, "# %s\n", range);
	fprintf(f, "#%s ", name);
	put_value(f, def);
	fputc('\n', f);
}

static void
put_example_number(
    FILE *f, const char *name, const uint64_t v[3], const char *help)
{
	char def[32], range[80];

	snprintf(def, sizeof(def), "%" PRIu64, v[0]);
	snprintf(range, sizeof(range), "%" PRIu64 " to %" PRIu64, v[1], v[2]);
	put_example(f, name, def, help, range);
}

void
conf_print_example(FILE *f)
{
	fputs("# The configuration of pusherd, with every option at its "
	      "default.\n"
	      "#\n"
	      "# A line is `name value`; '#' starts a comment; a value with "
	      "blanks stands in\n"
	      "# \"quotes\".  Each option can also be given as environment "
	      "variable, PUSHERD_ and\n"
	      "# its name in upper case, and as -o name=value.  The command "
	      "line overrides\n"
	      "# the environment, and the environment overrides this file.\n"
	      "#\n"
	      "# pusherd -t tests a configuration; pusherd -T shows each "
	      "value and its origin.\n",
	    f);
#define CONF_TEXT(name, def, help) put_example(f, #name, def, help, "");
#define CONF_PATH(name, def, help) put_example(f, #name, def, help, "");
#define CONF_LIST(name, def, help) \
	put_example(f, #name, def, help, "May be given several times.");
#define CONF_UINT(name, def, min, max, help) \
	put_example_number( \
	    f, #name, (const uint64_t[3]){ def, min, max }, help);
#define CONF_ENUM(name, def, choices, help) \
	put_example(f, #name, def, help, choices);
#define CONF_BOOL(name, def, help) \
	put_example(f, #name, (def) ? "on" : "off", help, "on or off");
#include "shared/conf/conf_options.def"
}
