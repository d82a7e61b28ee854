/* SPDX-License-Identifier: MIT */
/*
 * pusherctl.c: the admin command: the help, finding a command, and main().
 * Start reading here, and then the table in commands.c.  A command is in the
 * file of its noun in cli/cmd/; configuration, arguments and output are ready
 * when it runs.
 */

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cmd/cmd.h"
#include "cli/cmd/conf_ask.h"
#include "cli/cmd/page.h"
#include "cli/commands.h"
#include "shared/base/base.h"
#include "shared/base/log_out.h"
#include "shared/base/suggest.h"
#include "shared/base/xmalloc.h"
#include "shared/crypto/sign.h"
#include "shared/proc/proc.h"

#define NAME_WIDTH 32 /* of commands in the help */

/* ---- help ---- */

static void
print_verbs(FILE *f, struct str noun)
{
	const struct cmd_verb *v;
	char line[80];
	size_t i;

	for (i = 0; i < commands_n; i++) {
		v = &commands[i];
		if (!str_starts(str_of(v->name), noun))
			continue;
		snprintf(line, sizeof(line), "%s %s", v->name, v->args);
		if (strlen(line) > NAME_WIDTH)
			fprintf(f, "  %s\n  %-*s %s\n", line, NAME_WIDTH, "",
			    v->summary);
		else
			fprintf(f, "  %-*s %s\n", NAME_WIDTH, line, v->summary);
	}
}

static void
print_help(FILE *f)
{
	fputs("usage: pusherctl [-c FILE] [-o key=value]... [-j] [--header] "
	      "COMMAND ...\n"
	      "\ncommands:\n",
	    f);
	print_verbs(f, S(""));
	fputs("  help [COMMAND]                   Print this, or what a "
	      "command takes\n"
	      "\noptions:\n"
	      "  -c FILE       configuration file (" CONF_DEFAULT_FILE ")\n"
	      "  -o key=value  one option of it, as for pusherd\n"
	      "  -j            print JSON (also after the command)\n"
	      "  --header      a heading for tables in a pipe (also after the "
	      "command)\n"
	      "  -h, --help    print this; after a command: its help\n"
	      "  -V            print the version\n"
	      "\npusherctl reads the same file, options and PUSHERD_ "
	      "environment as pusherd,\n"
	      "and so finds the database and the control socket.\n"
	      "\nexit codes:\n"
	      "  0  done\n"
	      "  1  failed; the reason is on stderr\n"
	      "  2  wrong usage\n"
	      "  3  the command needs pusherd, and it is not running\n",
	    f);
}

/* ---- finding the command ---- */

/* "app", when some command is called "app …". */
static bool
is_noun(const char *word)
{
	size_t n = strlen(word), i;

	for (i = 0; i < commands_n; i++)
		if (strncmp(commands[i].name, word, n) == 0 &&
		    commands[i].name[n] == ' ')
			return true;
	return false;
}

static const struct cmd_verb *
find_verb(const char *name)
{
	size_t i;

	for (i = 0; i < commands_n; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

/* The nearest command, or first word of commands. */
static int
unknown_command(const char *what, const char *self)
{
	const char **names = xcalloc(commands_n * 2, sizeof(*names)), *near;
	char **nouns = xcalloc(commands_n, sizeof(*nouns));
	size_t n = 0, i, len;

	for (i = 0; i < commands_n; i++) {
		len = strcspn(commands[i].name, " ");
		nouns[i] = xstrndup(commands[i].name, len);
		names[n++] = commands[i].name;
		if (commands[i].name[len] != '\0')
			names[n++] = nouns[i];
	}
	near = suggest_nearest(str_of(what), names, n);
	if (near != NULL)
		fprintf(stderr,
		    "pusherctl: there is no command \"%s\"; did you mean "
		    "\"%s\"?\n",
		    what, near);
	else
		fprintf(
		    stderr, "pusherctl: there is no command \"%s\"\n", what);
	fprintf(stderr, "try: %s help\n", self);
	for (i = 0; i < commands_n; i++)
		free(nouns[i]);
	free(nouns);
	free(names);
	return CMD_USAGE;
}

/* "app list"; NULL: there is no such command. */
static const struct cmd_verb *
find_two(char **argv)
{
	char *name = xasprintf("%s %s", argv[0], argv[1]);
	const struct cmd_verb *v = find_verb(name);

	free(name);
	return v;
}

/*
 * The command with the first one or two words as its name; *used: how many
 * words.  NULL and the exit code in *r after a message, or after the help of a
 * noun.
 */
static const struct cmd_verb *
look_up(int argc, char **argv, const char *self, int *used, int *r)
{
	const struct cmd_verb *v = find_verb(argv[0]);
	bool noun = is_noun(argv[0]), help;
	const struct cmd_verb *two;
	char *words;

	*used = 1;
	if (noun && argc > 1 && (two = find_two(argv)) != NULL) {
		*used = 2;
		return two;
	}
	if (v != NULL || !noun) {
		if (v == NULL)
			*r = unknown_command(argv[0], self);
		return v;
	}
	help = argc > 1 &&
	    (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0);
	if (argc < 2 || help) {
		words = xasprintf("%s ", argv[0]);
		fprintf(help ? stdout : stderr, "usage: %s %s VERB ...\n\n",
		    self, argv[0]);
		print_verbs(help ? stdout : stderr, str_of(words));
		free(words);
		*r = help ? CMD_OK : CMD_USAGE;
		return NULL;
	}
	words = xasprintf("%s %s", argv[0], argv[1]);
	*r = unknown_command(words, self);
	free(words);
	return NULL;
}

/* The pages that `make pages` writes into etc/: not in the help. */
static int
print_page(const char *which)
{
	if (strcmp(which, "pusherctl.8") == 0)
		page_print_manual(stdout, commands, commands_n);
	else if (strcmp(which, "pusherd.conf.5") == 0)
		conf_print_man(stdout);
	else if (strcmp(which, "pusherd.conf") == 0)
		conf_print_example(stdout);
	else if (strcmp(which, "metrics") == 0)
		page_print_metrics(stdout);
	else if (strcmp(which, "completion") == 0)
		page_print_completion(stdout, commands, commands_n);
	else if (strcmp(which, "zsh") == 0)
		page_print_zsh(stdout, commands, commands_n);
	else if (strcmp(which, "fish") == 0)
		page_print_fish(stdout, commands, commands_n);
	else
		return CMD_USAGE;
	return CMD_OK;
}

/* `pusherctl help [COMMAND]`; argv begins after "help". */
static int
help(int argc, char **argv, const char *self)
{
	char dash_h[] = "-h", *noun[] = { NULL, dash_h };
	const struct cmd_verb *v;
	int used, r = CMD_OK;

	if (argc == 0) {
		print_help(stdout);
		return CMD_OK;
	}
	if (argc == 2 && strcmp(argv[0], "--print") == 0)
		return print_page(argv[1]);
	if (argc == 1 && find_verb(argv[0]) == NULL && is_noun(argv[0])) {
		noun[0] = argv[0];
		look_up(2, noun, self, &used, &r);
		return r;
	}
	v = look_up(argc, argv, self, &used, &r);
	if (v != NULL)
		cmd_print_help(v, self, stdout);
	return r;
}

/* ---- one call ---- */

struct call {
	const char *file; /* -c */
	char **arguments; /* -o */
	size_t narguments;
	bool json, header;
	bool help, version;
	char *self;
};

static int
run(const struct call *call, struct cmd *c)
{
	struct conf conf;
	char *why = NULL;
	int r = conf_load(
	    &conf, call->file, call->arguments, call->narguments, &why);

	if (r == -1) {
		cmd_note("%s", why);
		free(why);
		if (cmd_has(c, "here") ||
		    conf_ask(&conf, call->file, call->arguments,
			call->narguments) == -1)
			return CMD_FAILED;
		cmd_note("the configuration above is not used: pusherd goes on "
			 "with the one it has, and so does this command");
	}
	c->conf = &conf;
	c->out = out_new_for(stdout, call->json || c->json);
	if (call->header || c->header)
		out_set_header(c->out);
	r = c->verb->run(c);
	if (out_finish(c->out) == -1)
		r = cmd_fail("stdout: %s", strerror(errno));
	out_free(c->out);
	conf_clear(&conf);
	return r;
}

/* The words after the options of pusherctl itself. */
static int
command(const struct call *call, int argc, char **argv)
{
	struct cmd c = { .self = call->self, .file = call->file };
	int used, r = CMD_OK;

	if (argc == 0) {
		print_help(stderr);
		return CMD_USAGE;
	}
	if (strcmp(argv[0], "help") == 0)
		return help(argc - 1, argv + 1, call->self);
	c.verb = look_up(argc, argv, call->self, &used, &r);
	if (c.verb == NULL)
		return r;
	r = cmd_parse(&c, argc - used, argv + used);
	if (r == CMD_OK && c.help)
		cmd_print_help(c.verb, c.self, stdout);
	else if (r == CMD_OK)
		r = run(call, &c);
	cmd_clear(&c);
	return r;
}

/* Adds an option to the command line in hints. */
static void
remember(struct call *call, const char *option, const char *value)
{
	char *quoted = cmd_shell_quote(value), *old = call->self;

	call->self = xasprintf("%s %s %s", old, option, quoted);
	free(quoted);
	free(old);
}

/* The options before the command: CMD_OK, or CMD_USAGE after a message. */
static int
parse_options(struct call *call, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "header", no_argument, NULL, 'H' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "+c:o:jhV", longs, NULL)) != -1) {
		switch (opt) {
		case 'c':
			call->file = optarg;
			remember(call, "-c", optarg);
			break;
		case 'o':
			call->arguments[call->narguments++] = optarg;
			remember(call, "-o", optarg);
			break;
		case 'j':
			call->json = true;
			break;
		case 'H':
			call->header = true;
			break;
		case 'h':
			call->help = true;
			break;
		case 'V':
			call->version = true;
			break;
		default: /* getopt has said what is wrong */
			fprintf(stderr, "try: %s help\n", argv[0]);
			return CMD_USAGE;
		}
	}
	return CMD_OK;
}

int
main(int argc, char **argv)
{
	struct call call = { .file = NULL };
	int r;

	if (argc < 1)
		return CMD_USAGE;
	log_out_guard();
	proc_signal(SIGXFSZ, SIG_IGN); /* the write fails instead */
	call.arguments = xcalloc((size_t)argc, sizeof(*call.arguments));
	call.self = xstrdup(argv[0]);
	r = parse_options(&call, argc, argv);
	if (r != CMD_OK)
		; /* said */
	else if (call.help)
		print_help(stdout);
	else if (call.version)
		puts("pusherctl " PUSHERD_VERSION);
	else
		r = command(&call, argc - optind, argv + optind);
	/* A help or a page that is cut off is no success. */
	if ((fflush(stdout) == EOF || ferror(stdout)) && r == CMD_OK)
		r = cmd_fail("stdout: %s", strerror(errno));
	sign_cleanup();
	free(call.arguments);
	free(call.self);
	return r;
}
