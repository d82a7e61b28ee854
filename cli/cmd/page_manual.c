/* SPDX-License-Identifier: MIT */
/*
 * page_manual.c: the manual page pusherctl(8) from the table of commands.
 * Knows no command by name.  Writes only to the given stream.
 */

#include <stdlib.h>

#include "cli/cmd/cmd.h"
#include "cli/cmd/page.h"
#include "shared/base/base.h"
#include "shared/base/str.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/roff.h"

static const char head[] =
    ".\\\" SPDX-License-Identifier: MIT\n"
    ".\\\" Generated from the table in cli/commands.c by `make pages`.\n"
    ".TH PUSHERCTL 8 \"\" \"pusherd " PUSHERD_VERSION "\"\n"
    ".SH NAME\n"
    "pusherctl \\- administer pusherd\n"
    ".SH SYNOPSIS\n"
    ".B pusherctl\n"
    "[\\fB\\-c\\fR \\fIfile\\fR]\n"
    "[\\fB\\-o\\fR \\fIoption\\fB=\\fIvalue\\fR]...\n"
    "[\\fB\\-j\\fR]\n"
    "[\\fB\\-\\-header\\fR]\n"
    ".IR \"command \" ...\n"
    ".br\n"
    ".B pusherctl\n"
    "[\\fB\\-hV\\fR]\n"
    ".SH DESCRIPTION\n"
    ".B pusherctl\n"
    "manages the apps of\n"
    ".BR pusherd (8),\n"
    "asks the running server what it does, and publishes events.\n"
    "Apps can be changed with and without a running server; when a command\n"
    "that changes one returns, every worker knows.\n"
    ".PP\n"
    "It takes the same configuration as\n"
    ".BR pusherd ,\n"
    "and so finds the database and the control socket.\n"
    "The control socket is open to the user that pusherd runs as, its group,\n"
    "and root.\n"
    ".SH OPTIONS\n"
    ".TP\n"
    ".BR \\-c \" \" \\fIfile\\fR\n"
    "The configuration file; see\n"
    ".BR pusherd.conf (5).\n"
    ".TP\n"
    ".BR \\-o \" \" \\fIoption\\fB=\\fIvalue\\fR\n"
    "One option of it; may be given several times.\n"
    ".TP\n"
    ".B \\-j\n"
    "Print JSON; also accepted after the command.\n"
    ".TP\n"
    ".B \\-\\-header\n"
    "Tables have a heading in a pipe, too; also accepted after the "
    "command.\n"
    "A terminal and a pager get one anyway.\n"
    ".TP\n"
    ".BR \\-h \", \" \\-\\-help\n"
    "Print the commands; after a command: its help.\n"
    ".TP\n"
    ".BR \\-V \", \" \\-\\-version\n"
    "Print the version.\n"
    ".SH COMMANDS\n";

static const char tail[] =
    ".TP\n"
    ".BR help \" [\\fIcommand\\fR]\"\n"
    "Print the commands, or the help of one.\n"
    ".SH EXIT STATUS\n"
    ".TP\n"
    ".B 0\n"
    "done\n"
    ".TP\n"
    ".B 1\n"
    "failed; the reason is on the standard error\n"
    ".TP\n"
    ".B 2\n"
    "wrong usage\n"
    ".TP\n"
    ".B 3\n"
    "the command needs pusherd, and it is not running\n"
    ".SH ENVIRONMENT\n"
    "Each option of\n"
    ".BR pusherd.conf (5)\n"
    "as PUSHERD_ and its name in upper case.\n"
    ".PP\n"
    "When the configuration file is wrong or cannot be read, pusherctl "
    "reports\n"
    "that and asks the running pusherd for the values in force.  It then "
    "needs\n"
    "the file only for the place of the control socket (the option "
    "runtime_dir).\n"
    ".SH EXAMPLES\n"
    ".nf\n"
    "pusherctl app create \\-\\-name shop\n"
    "pusherctl app snippets shop\n"
    "pusherctl app set shop client_events=on max_connections=5000\n"
    "pusherctl publish shop my\\-channel my\\-event "
    "\\(aq{\"hello\":\"world\"}\\(aq\n"
    "pusherctl \\-j status\n"
    ".fi\n"
    ".SH SEE ALSO\n"
    ".BR pusherd (8),\n"
    ".BR pusherd.conf (5)\n";

static void
put_option(FILE *f, const struct cmd_option *o)
{
	fputs(".TP\n\\fB\\-\\-", f);
	roff_inline(f, o->name);
	fputs("\\fR", f);
	if (o->arg != NULL) {
		fputs(" \\fI", f);
		roff_inline(f, o->arg);
		fputs("\\fR", f);
	}
	fputc('\n', f);
	roff_text(f, o->help);
	fputc('\n', f);
}

/*
 * Lines without an indent are filled as one paragraph; every other line starts
 * at its indent, and wraps there if necessary.
 */
static void
put_lines(FILE *f, const char *text)
{
	struct str rest = str_of(text), line;
	unsigned indent;
	bool flows = false;
	char *copy;

	while (rest.p != NULL) {
		line = str_cut(&rest, '\n');
		for (indent = 0; indent < line.n && line.p[indent] == ' ';)
			indent++;
		copy = str_dup(str_from(line, indent));
		if (line.n == 0)
			fputs(".sp\n", f);
		else if (!flows || indent > 0)
			fputs(".br\n", f);
		if (indent > 0)
			fprintf(f, ".in +%un\n", indent);
		roff_text(f, copy);
		if (line.n > 0)
			fputc('\n', f);
		if (indent > 0)
			fprintf(f, ".br\n.in -%un\n", indent);
		flows = line.n > 0 && indent == 0;
		free(copy);
	}
}

static void
put_verb(FILE *f, const struct cmd_verb *v)
{
	const struct cmd_option *o = v->options;

	fputs(".TP\n\\fB", f);
	roff_inline(f, v->name);
	fputs("\\fR", f);
	if (o != NULL && o->name != NULL)
		fputs(" [\\fIoptions\\fR]", f);
	if (v->args[0] != '\0') {
		fputs(" \\fI", f);
		roff_inline(f, v->args);
		fputs("\\fR", f);
	}
	fputc('\n', f);
	roff_text(f, v->summary);
	fputs(".\n", f);
	if (v->text != NULL) {
		/* It has lines and indents of its own. */
		fputs(".IP\n.na\n.nh\n", f);
		put_lines(f, v->text);
		fputs(".ad\n.hy\n", f);
	}
	if (o == NULL || o->name == NULL)
		return;
	fputs(".RS\n", f);
	for (; o->name != NULL; o++)
		put_option(f, o);
	fputs(".RE\n", f);
}

void
page_print_manual(FILE *f, const struct cmd_verb *verbs, size_t n)
{
	size_t i;

	fputs(head, f);
	for (i = 0; i < n; i++)
		put_verb(f, &verbs[i]);
	fputs(tail, f);
}
