/* SPDX-License-Identifier: MIT */
/*
 * pusherd.c: the daemon's command line.  An error is one sentence on
 * stderr, with exit code 1, or 2 for a wrong command line.  The start itself is
 * cli/master/daemon.c.
 */

#include <ev.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/cmd/cluster_apps.h"
#include "cli/cmd/console_job.h"
#include "cli/commands.h"
#include "cli/master/daemon.h"
#include "shared/base/base.h"
#include "shared/base/log.h"
#include "shared/base/log_out.h"
#include "shared/base/str.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "shared/ipc/ipc_msg.h"
#include "shared/proc/proc.h"

#define USAGE "usage: pusherd [-FtTVh] [-c FILE] [-o OPTION=VALUE]...\n"

enum action {
	ACTION_RUN,
	ACTION_TEST,
	ACTION_PRINT,
	ACTION_TAKE_OVER, /* from a master that runs */
	ACTION_TRY        /* could it? */
};

struct command {
	enum action action;
	struct daemon_command daemon;
};

static void
usage(void)
{
	fputs(USAGE
	    "\n"
	    "  -c FILE           configuration (default " CONF_DEFAULT_FILE
	    ")\n"
	    "  -o OPTION=VALUE   set an option; overrides FILE\n"
	    "  -F                stay in the foreground, log to stderr\n"
	    "  -t                test the configuration and exit\n"
	    "  -T                show each option's value and its origin\n"
	    "  -V, --version     show the version\n"
	    "  -h, --help        show this\n",
	    stdout);
}

_Noreturn static void
refuse_command(void)
{
	fputs(USAGE "more: pusherd --help\n", stderr);
	exit(2);
}

static int
parse_fd(const char *text)
{
	uint64_t n;

	if (str_to_u64(str_of(text), INT32_MAX, &n) == 0)
		return (int)n;
	refuse_command();
}

static void
parse_command(struct command *cmd, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		/* Only by upgrade.c. */
		{ "take-over", required_argument, NULL, ACTION_TAKE_OVER },
		{ "try-to-take-over", required_argument, NULL, ACTION_TRY },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	cmd->daemon.options = xcalloc((size_t)argc, sizeof(char *));
	while ((c = getopt_long(argc, argv, "c:o:FtTVh", longs, NULL)) != -1) {
		switch (c) {
		case 'c':
			cmd->daemon.file = optarg;
			break;
		case 'o':
			cmd->daemon.options[cmd->daemon.noptions++] = optarg;
			break;
		case 'F':
			cmd->daemon.foreground = true;
			break;
		case 't':
			cmd->action = ACTION_TEST;
			break;
		case 'T':
			cmd->action = ACTION_PRINT;
			break;
		case 'V':
			printf("pusherd %s\nstate version %s\n",
			    PUSHERD_VERSION, ipc_state_version());
			exit(0);
		case 'h':
			usage();
			exit(0);
		case ACTION_TAKE_OVER:
		case ACTION_TRY:
			cmd->action = (enum action)c;
			cmd->daemon.state_fd = parse_fd(optarg);
			break;
		default: /* getopt has said what is wrong */
			refuse_command();
		}
	}
	if (optind == argc)
		return;
	fprintf(stderr, "pusherd: there is no argument \"%s\"\n", argv[optind]);
	refuse_command();
}

static int
run_console(const struct conf *conf)
{
	return console_job_run(conf, commands, commands_n);
}

int
main(int argc, char **argv)
{
	struct command cmd = { .action = ACTION_RUN,
		.daemon = { .state_fd = -1,
		    .run_console = run_console,
		    .run_apps = cluster_apps_run } };
	struct conf conf;
	char *why;
	int code = 0;

	log_out_guard();
	proc_signal(SIGXFSZ, SIG_IGN); /* the write fails instead */
	ev_set_allocator(xalloc_hook);
	proc_title_init(argc, argv);
	parse_command(&cmd, argc, argv);
	cmd.daemon.rules = commands_rules();
	cmd.daemon.is_trial = cmd.action == ACTION_TRY;
	/* One that takes over gets the configuration in force. */
	if (cmd.daemon.state_fd == -1 &&
	    conf_load(&conf, cmd.daemon.file, cmd.daemon.options,
		cmd.daemon.noptions, &why) == -1)
		fatalx("%s", why);
	switch (cmd.action) {
	case ACTION_RUN:
		/* When the first process of a container ends, all end. */
		cmd.daemon.foreground = cmd.daemon.foreground || getpid() == 1;
		/* FALLTHROUGH */
	case ACTION_TAKE_OVER:
	case ACTION_TRY:
		code = daemon_run(&conf, &cmd.daemon);
		break;
	case ACTION_TEST:
		code = daemon_test(&conf, cmd.daemon.file);
		break;
	case ACTION_PRINT:
		conf_print(&conf, stdout);
		if (fflush(stdout) == EOF || ferror(stdout))
			fatal("stdout");
		break;
	}
	conf_clear(&conf);
	free(cmd.daemon.options);
	return code;
}
