/* SPDX-License-Identifier: MIT */
/*
 * page_shells.c: completion of pusherctl for zsh and fish, from the table of
 * commands and the lists of options and settings.  Apps are asked of
 * `pusherctl app list`, with the -c and -o of the line.  Writes only to the
 * stream it is given.
 */

#include <stdbool.h>
#include <string.h>

#include "cli/cmd/cmd.h"
#include "cli/cmd/page.h"

/* For a place between single quotes. */
static void
put_quoted(FILE *f, const char *text)
{
	for (; *text != '\0'; text++)
		if (*text == '\'')
			fputs("'\\''", f);
		else
			fputc(*text, f);
}

/* Do the arguments name an app (APP), a FILE, or settings (option=value)? */
static bool
takes(const struct cmd_verb *v, const char *what)
{
	return strcmp(what, "APP") == 0 ? strncmp(v->args, "APP", 3) == 0 ||
		strncmp(v->args, "[APP", 4) == 0
					: strstr(v->args, what) != NULL;
}

/* Each with a = behind it. */
static void
put_names(FILE *f, const char *names)
{
	struct str rest = str_of(names + 1);

	while (rest.p != NULL) {
		struct str name = str_cut(&rest, ' ');

		fprintf(f, "%.*s=%s", STR_ARG(name), rest.p == NULL ? "" : " ");
	}
}

/* ---- zsh ---- */

static const char zsh_head[] =
    "#compdef pusherctl\n"
    "# SPDX-License-Identifier: MIT\n"
    "# zsh completion of pusherctl, generated from its tables by `make "
    "pages`.\n"
    "\n"
    "_pusherctl()\n"
    "{\n"
    "\tlocal -a verbs options conf w\n"
    "\tlocal i verb args prev=$words[CURRENT-1] cur=$words[CURRENT]\n"
    "\tverbs=(\n";

static const char zsh_words[] =
    "\tesac\n"
    "\tfor ((i = 2; i < CURRENT; i++)); do\n"
    "\t\tcase $words[i] in\n"
    "\t\t-c | -o) conf+=(\"${(@)words[i,i+1]}\"); ((i++)) ;;\n";

static const char zsh_verb[] =
    "\t\t-*) ;;\n"
    "\t\t*) w+=($words[i]) ;;\n"
    "\t\tesac\n"
    "\tdone\n"
    "\tif [[ $w[1] == help ]]; then shift w; fi\n"
    "\tif (( ! $#w )); then\n"
    "\t\tif [[ $cur == -* ]]; then\n"
    "\t\t\tcompadd -- -c -o -j -V --version --header --help\n"
    "\t\telse\n"
    "\t\t\tcompadd -- ${(u)${(@)verbs%%[ :]*}} help\n"
    "\t\tfi\n"
    "\t\treturn\n"
    "\tfi\n"
    "\tverb=\"$w[1] $w[2]\"\n"
    "\tif (( $#w == 1 )) || [[ -z ${(M)verbs:#$verb:*} ]]; then\n"
    "\t\tverb=$w[1]\n"
    "\t\tif (( $#w == 1 )) && [[ $cur != -* ]]; then\n"
    "\t\t\tverbs=(\"${(@)${(@M)verbs:#$verb *}#$verb }\")\n"
    "\t\t\t_describe command verbs\n"
    "\t\tfi\n"
    "\telse\n"
    "\t\tshift w\n"
    "\tfi\n"
    "\tshift w\n"
    "\tcase $verb in\n";

static const char zsh_tail[] =
    "\tesac\n"
    "\tif [[ $cur == -* ]]; then\n"
    "\t\tcompadd -- $options -j --header --help\n"
    "\telif [[ $args == *s* ]] && (( $#w )); then\n"
    "\t\tcompadd -S '' -- $settings\n"
    "\telif [[ $args == *a* ]] && (( ! $#w )); then\n"
    "\t\tcompadd -- ${(f)\"$($words[1] $conf app list 2>/dev/null |\n"
    "\t\t\tcut -f 1)\"}\n"
    "\telif [[ $args == *f* ]]; then\n"
    "\t\t_files\n"
    "\tfi\n"
    "}\n"
    "\n"
    "_pusherctl \"$@\"\n";

static void
put_zsh_verb(FILE *f, const struct cmd_verb *v)
{
	const struct cmd_option *o;

	fprintf(f, "\t'%s') options=(", v->name);
	for (o = v->options; o != NULL && o->name != NULL; o++)
		fprintf(f, "%s--%s", o == v->options ? "" : " ", o->name);
	fprintf(f, ") args=%s%s%s ;;\n", takes(v, "APP") ? "a" : "",
	    takes(v, "FILE") ? "f" : "", takes(v, "option=value") ? "s" : "");
}

void
page_print_zsh(FILE *f, const struct cmd_verb *verbs, size_t n)
{
	size_t i;

	fputs(zsh_head, f);
	for (i = 0; i < n; i++) {
		fprintf(f, "\t\t'%s:", verbs[i].name);
		put_quoted(f, verbs[i].summary);
		fputs("'\n", f);
	}
	fputs("\t)\n\tlocal -a settings=(", f);
	put_names(f, page_setting_names);
	fputs(")\n\tcase $prev in\n\t-c | ", f);
	page_put_valued(f, verbs, n, true, " | ");
	fputs(") _files; return ;;\n\t-o) compadd -S '' -- ", f);
	put_names(f, page_conf_names);
	fputs("; return ;;\n"
	      "\t--set) compadd -S '' -- $settings; return ;;\n\t",
	    f);
	page_put_valued(f, verbs, n, false, " | ");
	fputs(") return ;;\n", f);
	fputs(zsh_words, f);
	fputs("\t\t--set | ", f);
	page_put_valued(f, verbs, n, true, " | ");
	fputs(" | \\\n\t\t\t", f);
	page_put_valued(f, verbs, n, false, " | ");
	fputs(") ((i++)) ;;\n", f);
	fputs(zsh_verb, f);
	for (i = 0; i < n; i++)
		put_zsh_verb(f, &verbs[i]);
	fputs(zsh_tail, f);
}

/* ---- fish ---- */

static const char fish_head[] =
    "# SPDX-License-Identifier: MIT\n"
    "# fish completion of pusherctl, generated from its tables by `make "
    "pages`.\n"
    "\n"
    "# The words of the command so far, without options and their values.\n"
    "function __pusherctl_words\n"
    "    set -l skip 0\n"
    "    for t in (commandline -opc)[2..-1]\n"
    "        if test $skip = 1\n"
    "            set skip 0\n"
    "        else if contains -- $t -c -o --set ";

static const char fish_functions[] =
    "\n"
    "            set skip 1\n"
    "        else if not string match -q -- '-*' $t\n"
    "            test \"$t\" = help; or echo $t\n"
    "        end\n"
    "    end\n"
    "end\n"
    "\n"
    "# Are these the words, and exactly (or at least) these?\n"
    "function __pusherctl_at\n"
    "    set -l w (__pusherctl_words)\n"
    "    test \"$w\" = \"$argv\"\n"
    "end\n"
    "function __pusherctl_in\n"
    "    set -l n (count $argv)\n"
    "    set -l w (__pusherctl_words)\n"
    "    test (count $w) -ge $n; and test \"$w[1..$n]\" = \"$argv\"\n"
    "end\n"
    "\n"
    "function __pusherctl_apps\n"
    "    set -l t (commandline -opc)\n"
    "    set -l conf\n"
    "    for i in (seq 2 (count $t))\n"
    "        if contains -- $t[$i] -c -o\n"
    "            set -a conf $t[$i] $t[(math $i + 1)]\n"
    "        end\n"
    "    end\n"
    "    $t[1] $conf app list 2>/dev/null | cut -f 1,4\n"
    "end\n"
    "\n"
    "complete -c pusherctl -f\n"
    "complete -c pusherctl -s c -r -F -d 'configuration file'\n";

static void
put_fish_verb(FILE *f, const struct cmd_verb *v)
{
	const struct cmd_option *o;
	const char *word = strchr(v->name, ' ');
	size_t noun = strcspn(v->name, " ");

	fprintf(f, "complete -c pusherctl -n '__pusherctl_at%s%.*s' -a %s -d '",
	    word == NULL ? "" : " ", word == NULL ? 0 : (int)noun, v->name,
	    word == NULL ? v->name : word + 1);
	put_quoted(f, v->summary);
	fputs("'\n", f);
	for (o = v->options; o != NULL && o->name != NULL; o++) {
		fprintf(f,
		    "complete -c pusherctl -n '__pusherctl_in %s' -l %s%s -d '",
		    v->name, o->name,
		    o->arg == NULL           ? ""
			: page_takes_file(o) ? " -r -F"
					     : " -x");
		put_quoted(f, o->help);
		fputs("'\n", f);
	}
	if (takes(v, "APP"))
		fprintf(f,
		    "complete -c pusherctl -n '__pusherctl_at %s' -a "
		    "'(__pusherctl_apps)'\n",
		    v->name);
	if (takes(v, "FILE"))
		fprintf(f, "complete -c pusherctl -n '__pusherctl_in %s' -F\n",
		    v->name);
	if (takes(v, "option=value")) {
		fprintf(f, "complete -c pusherctl -n '__pusherctl_in %s' -a '",
		    v->name);
		put_names(f, page_setting_names);
		fputs("'\n", f);
	}
}

void
page_print_fish(FILE *f, const struct cmd_verb *verbs, size_t n)
{
	const char *end;
	size_t i, len;

	fputs(fish_head, f);
	page_put_valued(f, verbs, n, true, " ");
	fputs(" \\\n                ", f);
	page_put_valued(f, verbs, n, false, " ");
	fputs(fish_functions, f);
	fputs("complete -c pusherctl -s o -x -a '", f);
	put_names(f, page_conf_names);
	fputs(
	    "' -d 'one option of it'\n"
	    "complete -c pusherctl -s j -d 'print JSON'\n"
	    "complete -c pusherctl -l header -d 'a heading for tables in a "
	    "pipe'\n"
	    "complete -c pusherctl -l help -d 'print help'\n"
	    "complete -c pusherctl -n __pusherctl_at -a help -d 'Print what a "
	    "command takes'\n",
	    f);
	for (i = 0; i < n; i++) {
		/* A noun of several commands, before the first of them. */
		end = strchr(verbs[i].name, ' ');
		len = end == NULL ? 0 : (size_t)(end - verbs[i].name) + 1;
		if (len > 0 &&
		    (i == 0 ||
			strncmp(verbs[i - 1].name, verbs[i].name, len) != 0))
			fprintf(f,
			    "complete -c pusherctl -n __pusherctl_at -a %.*s\n",
			    (int)len - 1, verbs[i].name);
		put_fish_verb(f, &verbs[i]);
	}
}
