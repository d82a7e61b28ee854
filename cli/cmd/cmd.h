/* SPDX-License-Identifier: MIT */
#ifndef CLI_CMD_CMD_H
#define CLI_CMD_CMD_H

/*
 * Shared by the commands of pusherctl: the description of a verb, its arguments
 * after parsing, errors, and access to the database and the daemon.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "cli/cmd/ctl.h"
#include "cli/out/out.h"
#include "shared/app/app.h"
#include "shared/app/appdb.h"
#include "shared/conf/conf.h"
#include "shared/ipc/verb_rule.h"

/* Exit codes of pusherctl. */
enum cmd_exit {
	CMD_OK,
	CMD_FAILED,
	CMD_USAGE,
	CMD_NO_DAEMON /* only for commands that need the daemon */
};

struct cmd;

/* One command in the table of commands.c. */
struct cmd_verb {
	const char *name; /* "app create" or "status" */
	const char *args; /* "APP [CHANNEL]", or "" */
	size_t min, max;  /* how many args */
	const char *summary;
	const char *text;                 /* more of the help, or NULL */
	const struct cmd_option *options; /* up to name NULL; or NULL */
	int (*run)(struct cmd *);         /* an enum cmd_exit */
	enum verb_access access;          /* in the console */
};

struct cmd_value {
	const struct cmd_option *option;
	const char *value; /* "" when the option has none */
};

/* One call of pusherctl. */
struct cmd {
	const struct cmd_verb *verb;
	const struct conf *conf;
	struct out *out;
	/* The id of the only app that it may see or change; NULL: any. */
	const char *scope;
	const char *file; /* -c, or NULL */
	/* "build/pusherctl -c x.conf", quoted for the shell: for hints */
	const char *self;
	const char **args;
	size_t nargs;
	struct app app; /* after cmd_name_app(); else its id is NULL */
	struct cmd_value *values; /* the options in their order */
	size_t nvalues;
	/* In a cluster: the apps as they were, once the database is open. */
	struct buf **before;
	bool help, json, header; /* --help, -j, --header among the arguments */
	unsigned slow_ms;        /* pusherd may be silent longer than usual */
};

/*
 * Sorts argv (the words after the verb's name) into args and values, which
 * point into argv.  CMD_OK, or CMD_USAGE after a message.
 */
int cmd_parse(struct cmd *, int argc, char **argv);
void cmd_clear(struct cmd *);
/* The last value of an option; NULL when it was not given. */
const char *cmd_value(const struct cmd *, const char *name);
/* "30s", "5m", "2h" or "1d" in seconds; -1: it is none of them. */
int cmd_read_span(const char *text, uint64_t *seconds);
bool cmd_has(const struct cmd *, const char *name);

void cmd_print_help(const struct cmd_verb *, const char *self, FILE *);

/* Prints "pusherctl: ..." to stderr.  The first returns CMD_FAILED, ... */
int cmd_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* ... this one CMD_USAGE, after the usage and a hint. */
int cmd_usage(const struct cmd *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void cmd_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* From now on they go into the log of the daemon, whose process this is. */
void cmd_log_messages(void);

/*
 * Asks on the terminal, y or N: CMD_OK, or CMD_FAILED after "not done", or
 * CMD_USAGE without a terminal, after a message that --yes is needed.
 */
int cmd_confirm(const struct cmd *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Since when a command waits for another process; begins with zeros. */
struct cmd_busy {
	uint64_t since_ms; /* CLOCK_MONOTONIC */
	uint64_t waited_ms;
};

/*
 * True after a pause if another process writes (why says so) and time is left.
 * A person at a terminal is told once.
 */
bool cmd_wait_busy(const struct cmd *, const char *why, struct cmd_busy *);
/* The database of the apps; NULL after a message. */
struct appdb *cmd_open_db(const struct cmd *, enum appdb_mode);
/* CMD_OK and *app (app_clear() it), or CMD_FAILED after a message. */
int cmd_find_app(
    const struct cmd *, struct appdb *, const char *which, struct app *app);
/* Both, for commands that only read. */
int cmd_read_app(const struct cmd *, const char *which, struct app *app);

/* The same into c->app; the argument may be NULL if it was not given. */
int cmd_name_app(struct cmd *, const char *which);

/*
 * The arguments of a question.  keys: their names with a blank between them,
 * each with its value: a text, NULL = left out; "=name" a struct str; "#name" a
 * uint64_t, 0 = left out; "?name" a bool, false = left out.  The caller's
 * reference.
 */
struct buf *cmd_args(const char *keys, ...);
/*
 * Asks the daemon, and releases the arguments, which may be NULL.  CMD_OK, or
 * after a message CMD_FAILED or CMD_NO_DAEMON.
 */
int cmd_ask(const struct cmd *, const char *verb, struct buf *args, ctl_row fn,
    void *arg);
/*
 * The same if the answer is one row: a record of these members (out_members()),
 * or a failure.
 */
int cmd_ask_one(const struct cmd *, const char *verb, struct buf *args,
    const char *members);
/* The same as a table of these columns; order: see out_table_order(). */
int cmd_list(const struct cmd *, const char *verb, struct buf *args,
    const char *order, const char *columns);
/* As cmd_ask() without an end: until *stop is true after a row. */
int cmd_watch(const struct cmd *, const char *verb, struct buf *args,
    ctl_row fn, void *arg, const bool *stop);
/*
 * The apps in the database have changed: returns when every worker knows.
 * Without a daemon it succeeds (CMD_OK and a note).
 */
int cmd_tell_apps_changed(const struct cmd *);

/*
 * A whole file, or stdin ("-"), of at most max bytes: one reference, or NULL
 * after a message.
 */
struct buf *cmd_read_file(const char *path, size_t max);
/* Wipes what may be secret, and gives the reference back; NULL: nothing. */
void cmd_wipe(struct buf *);
/* The address at which clients on this machine reach the server. */
struct cmd_address {
	char *host; /* for an URL: IPv6 in brackets; free(3) it */
	unsigned port;
	bool tls;
};
/*
 * The listener for clients of this app, without TLS if possible: CMD_OK, or
 * another code after a message.  free(3) host in any case.
 */
int cmd_find_address(
    const struct cmd *, const struct app *, struct cmd_address *);
/* Quotes the word for sh(1) if necessary; free(3) it. */
char *cmd_shell_quote(const char *word);

/* The noun files. */
int cmd_app_create(struct cmd *);
int cmd_app_list(struct cmd *);
int cmd_app_show(struct cmd *);
int cmd_app_set(struct cmd *);
int cmd_app_enable(struct cmd *);
int cmd_app_disable(struct cmd *);
int cmd_app_delete(struct cmd *);
int cmd_app_import(struct cmd *);
int cmd_app_export(struct cmd *);
int cmd_app_snippets(struct cmd *);
extern const struct cmd_option cmd_app_rotate_options[];
int cmd_app_rotate_key(struct cmd *);
int cmd_status(struct cmd *);
int cmd_cluster_status(struct cmd *);
int cmd_cluster_hosts(struct cmd *);
int cmd_cluster_leave(struct cmd *);
extern const struct cmd_option cmd_config_options[];
int cmd_config(struct cmd *);
int cmd_config_set(struct cmd *);
int cmd_config_rewrite(struct cmd *);
int cmd_channels(struct cmd *);
int cmd_channel_show(struct cmd *);
int cmd_channel_purge_cache(struct cmd *);
int cmd_publish(struct cmd *);
int cmd_reload(struct cmd *);
int cmd_drain(struct cmd *);
int cmd_worker_replace(struct cmd *);
extern const struct cmd_option cmd_upgrade_options[];
int cmd_upgrade(struct cmd *);
int cmd_log_level(struct cmd *);

#endif
