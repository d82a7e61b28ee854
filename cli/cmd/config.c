/* SPDX-License-Identifier: MIT */
/*
 * config.c: `pusherctl config`: the values in force, and the origin of each.
 * The daemon is asked; if none runs, the values are those of a start with the
 * same options.
 */

#include <stdlib.h>
#include <string.h>

#include "cli/cmd/cmd.h"
#include "cli/cmd/conf_ask.h"
#include "shared/base/base.h"
#include "shared/base/suggest.h"

#define OPTIONS_MAX 256

const struct cmd_option cmd_config_options[] = {
	{ "here", NULL,
	    "the values that this command reads, not those of pusherd" },
	{ NULL, NULL, NULL },
};

struct printing {
	const struct cmd *c;
	const char *only; /* an option, or NULL */
};

static void
put_row(void *arg, const char *name, const char *value, const char *origin)
{
	const struct printing *p = arg;
	struct out *o = p->c->out;

	if (p->only != NULL && strcmp(p->only, name) != 0)
		return;
	out_row_open(o);
	out_text(o, "option", name);
	out_text(o, "value", value);
	out_text(o, "origin", origin);
	out_row_close(o);
}

static void
on_row(void *arg, struct json row)
{
	conf_ask_read(row, put_row, arg);
}

struct names {
	const char *v[OPTIONS_MAX];
	size_t n;
};

static void
collect(void *arg, const char *name, const char *value, const char *origin)
{
	struct names *l = arg;

	if (l->n < nitems(l->v))
		l->v[l->n++] = name; /* text of the program */
}

static int
check_name(const struct cmd *c, const char *name)
{
	struct names l = { .n = 0 };
	const char *near;
	size_t i;

	conf_each(c->conf, collect, &l);
	for (i = 0; i < l.n; i++)
		if (strcmp(l.v[i], name) == 0)
			return CMD_OK;
	near = suggest_nearest(str_of(name), l.v, l.n);
	if (near == NULL)
		return cmd_usage(c,
		    "there is no option \"%s\"; to see them: %s config", name,
		    c->self);
	return cmd_usage(
	    c, "there is no option \"%s\"; did you mean %s?", name, near);
}

int
cmd_config(struct cmd *c)
{
	struct printing p = { .c = c,
		.only = c->nargs > 0 ? c->args[0] : NULL };
	int r = CMD_OK;

	if (p.only != NULL && check_name(c, p.only) != CMD_OK)
		return CMD_USAGE;
	out_table_open(c->out, NULL, "option value origin");
	if (!cmd_has(c, "here"))
		r = cmd_ask(c, "config", NULL, on_row, &p);
	if (cmd_has(c, "here") || r == CMD_NO_DAEMON) {
		if (r == CMD_NO_DAEMON)
			cmd_note("so this is what a start would find");
		conf_each(c->conf, put_row, &p);
		r = CMD_OK;
	}
	if (r != CMD_OK)
		out_drop(c->out);
	out_table_close(c->out);
	return r;
}
