/* SPDX-License-Identifier: MIT */
/*
 * page_completion.c: bash completion of pusherctl and pusherd, from the table
 * of commands and the lists of options and settings.  The script needs no other
 * file and asks no daemon.  Writes only to the given stream.
 */

#include <string.h>

#include "cli/cmd/cmd.h"
#include "cli/cmd/page.h"

static const char head[] = "# SPDX-License-Identifier: MIT\n"
			   "# bash completion of pusherctl and pusherd.\n"
			   "# Generated from their tables by `make pages`.\n";

#define CONF_TEXT(name, def, help) " " #name
#define CONF_PATH(name, def, help) " " #name
#define CONF_LIST(name, def, help) " " #name
#define CONF_UINT(name, def, min, max, help) " " #name
#define CONF_ENUM(name, def, choices, help) " " #name
#define CONF_BOOL(name, def, help) " " #name
const char page_conf_names[] =
#include "shared/conf/conf_options.def"
    ;

#define APP_UINT(field, def, min, max, help) " " #field
#define APP_BOOL(field, def, help) " " #field
#define APP_TEXT(field, def, help) " " #field
const char page_setting_names[] = " name"
#include "shared/app/app_settings.def"
    ;

/* $1: words, each completed with a = behind it. */
static const char helpers[] =
    "\n"
    "_pusherd_assign()\n"
    "{\n"
    "\tcompopt -o nospace 2>/dev/null\n"
    "\tmapfile -t COMPREPLY < <(compgen -S = -W \"$1\" -- \"$2\")\n"
    "}\n"
    "\n"
    "_pusherd_files()\n"
    "{\n"
    "\tcompopt -o filenames 2>/dev/null\n"
    "\tmapfile -t COMPREPLY < <(compgen -f -- \"$1\")\n"
    "}\n"
    "\n"
    "_pusherd()\n"
    "{\n"
    "\tcase $3 in\n"
    "\t-c) _pusherd_files \"$2\" ;;\n"
    "\t-o) _pusherd_assign \"$_pusherd_options\" \"$2\" ;;\n"
    "\t*) mapfile -t COMPREPLY < <(compgen -W \\\n"
    "\t\t'-c -o -F -t -T -V --version -h --help' -- \"$2\") ;;\n"
    "\tesac\n"
    "}\n"
    "\n"
    "# The words of the command so far; a value behind = or : is none.\n"
    "_pusherctl_words()\n"
    "{\n"
    "\tlocal i\n"
    "\twords=()\n"
    "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
    "\t\tcase ${COMP_WORDS[i]} in\n"
    "\t\t= | : | -c | -o) ((i++)) ;;\n";

static const char body[] =
    "\t\t-*) ;;\n"
    "\t\t*) words+=(\"${COMP_WORDS[i]}\") ;;\n"
    "\t\tesac\n"
    "\tdone\n"
    "}\n"
    "\n"
    "_pusherctl()\n"
    "{\n"
    "\tlocal cur=$2 list='' files='' verb\n"
    "\tlocal -a words\n"
    "\tcase $3 in\n"
    "\t= | :) return ;;\n"
    "\t-c) _pusherd_files \"$cur\"; return ;;\n"
    "\t-o) _pusherd_assign \"$_pusherd_options\" \"$cur\"; return ;;\n"
    "\t--set) _pusherd_assign \"$_pusherd_settings\" \"$cur\"; return ;;\n";

static const char middle[] =
    "\tesac\n"
    "\t_pusherctl_words\n"
    "\tif [[ ${words[0]-} == help ]]; then words=(\"${words[@]:1}\"); fi\n"
    "\tverb=${words[0]-}\n"
    "\tcase $verb in\n";

static const char tail[] =
    "\tesac\n"
    "\tcase $cur in\n"
    "\t-*) list+=' -j --header --help' ;;\n"
    "\tesac\n"
    "\tif [[ $files && $cur != -* ]]; then\n"
    "\t\t_pusherd_files \"$cur\"\n"
    "\telse\n"
    "\t\tmapfile -t COMPREPLY < <(compgen -W \"$list\" -- \"$cur\")\n"
    "\tfi\n"
    "}\n"
    "\n"
    "complete -F _pusherctl pusherctl\n"
    "complete -F _pusherd pusherd\n";

static size_t
noun_length(const struct cmd_verb *v)
{
	return strcspn(v->name, " ");
}

static bool
has_same_noun(const struct cmd_verb *a, const struct cmd_verb *b)
{
	size_t n = noun_length(a);

	return n == noun_length(b) && memcmp(a->name, b->name, n) == 0;
}

/* Does its noun have commands of two words? */
static bool
has_words(const struct cmd_verb *verbs, size_t n, size_t i)
{
	size_t k;

	for (k = 0; k < n; k++)
		if (has_same_noun(&verbs[k], &verbs[i]) &&
		    verbs[k].name[noun_length(&verbs[k])] == ' ')
			return true;
	return false;
}

/* Is it the first command of its noun? */
static bool
is_first(const struct cmd_verb *verbs, size_t i)
{
	size_t k;

	for (k = 0; k < i; k++)
		if (has_same_noun(&verbs[k], &verbs[i]))
			return false;
	return true;
}

bool
page_takes_file(const struct cmd_option *o)
{
	return o->arg != NULL && strstr(o->arg, "FILE") != NULL;
}

void
page_put_valued(
    FILE *f, const struct cmd_verb *verbs, size_t n, bool files, const char *by)
{
	const struct cmd_option *o;
	bool any = false;
	size_t i;

	for (i = 0; i < n; i++) {
		for (o = verbs[i].options; o != NULL && o->name != NULL; o++) {
			if (o->arg == NULL || strcmp(o->name, "set") == 0 ||
			    page_takes_file(o) != files)
				continue;
			fprintf(f, "%s--%s", any ? by : "", o->name);
			any = true;
		}
	}
}

/* The arguments of one command: `list` and `files` of the script. */
static void
put_command(FILE *f, const struct cmd_verb *v)
{
	const struct cmd_option *o;

	fputs("list='", f);
	for (o = v->options; o != NULL && o->name != NULL; o++)
		fprintf(f, "%s--%s", o == v->options ? "" : " ", o->name);
	fprintf(f, "'%s", strstr(v->args, "FILE") != NULL ? " files=1" : "");
}

static void
put_noun(FILE *f, const struct cmd_verb *verbs, size_t n, size_t first)
{
	int len = (int)noun_length(&verbs[first]);
	const struct cmd_verb *bare = NULL; /* the noun is a command, too */
	const char *word;
	bool any = false;
	size_t i;

	fprintf(
	    f, "\t%.*s)\n\t\tcase ${words[1]-} in\n", len, verbs[first].name);
	for (i = first; i < n; i++) {
		if (!has_same_noun(&verbs[first], &verbs[i]))
			continue;
		if (verbs[i].name[len] == '\0') {
			bare = &verbs[i];
			continue;
		}
		word = verbs[i].name + len + 1;
		fprintf(f, "\t\t%s)\n", word);
		if (strstr(verbs[i].args, "option=value") != NULL)
			fputs("\t\t\tif ((${#words[@]} > 2)) && [[ $cur != -* "
			      "]]; then\n"
			      "\t\t\t\t_pusherd_assign \"$_pusherd_settings\""
			      " \"$cur\"\n\t\t\t\treturn\n\t\t\tfi\n",
			    f);
		fputs("\t\t\t", f);
		put_command(f, &verbs[i]);
		fputs(" ;;\n", f);
	}
	fputs("\t\t'') list='", f);
	for (i = first; i < n; i++) {
		if (!has_same_noun(&verbs[first], &verbs[i]) ||
		    &verbs[i] == bare)
			continue;
		fprintf(f, "%s%s", any ? " " : "", verbs[i].name + len + 1);
		any = true;
	}
	fputs("' ;;\n", f);
	if (bare != NULL) {
		fputs("\t\t*) ", f);
		put_command(f, bare);
		fputs(" ;;\n", f);
	}
	fputs("\t\tesac ;;\n", f);
}

void
page_print_completion(FILE *f, const struct cmd_verb *verbs, size_t n)
{
	size_t i;

	fputs(head, f);
	fprintf(f, "\n_pusherd_options='%s'\n_pusherd_settings='%s'\n",
	    page_conf_names + 1, page_setting_names + 1);
	fputs(helpers, f);
	fputs("\t\t", f);
	page_put_valued(f, verbs, n, false, " | ");
	fputs(" | --set) ((i++)) ;;\n\t\t", f);
	page_put_valued(f, verbs, n, true, " | ");
	fputs(") ((i++)) ;;\n", f);
	fputs(body, f);
	fputc('\t', f);
	page_put_valued(f, verbs, n, true, " | ");
	fputs(") _pusherd_files \"$cur\"; return ;;\n\t", f);
	page_put_valued(f, verbs, n, false, " | ");
	fputs(") return ;;\n", f);
	fputs(middle, f);
	for (i = 0; i < n; i++) {
		if (!is_first(verbs, i))
			continue;
		if (has_words(verbs, n, i)) {
			put_noun(f, verbs, n, i);
			continue;
		}
		fprintf(f, "\t%s) ", verbs[i].name);
		put_command(f, &verbs[i]);
		fputs(" ;;\n", f);
	}
	fputs("\t'')\n\t\tif [[ $cur == -* ]]; then list='-c -o -V --version'\n"
	      "\t\telse list='",
	    f);
	for (i = 0; i < n; i++)
		if (is_first(verbs, i))
			fprintf(f, "%.*s ", (int)noun_length(&verbs[i]),
			    verbs[i].name);
	fputs("help'; fi ;;\n", f);
	fputs(tail, f);
}
