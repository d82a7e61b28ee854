/* SPDX-License-Identifier: MIT */
#ifndef SHARED_IPC_VERB_RULE_H
#define SHARED_IPC_VERB_RULE_H

/*
 * The part of the table of pusherctl's commands that the console needs: the
 * arguments of a command, and the scope that a session needs to run it.  The
 * table is in cli/commands.c; the broker and the workers get it from the
 * master.
 */

/*
 * The scope that a session of the console needs.  By default a command needs
 * the widest one.
 */
enum verb_access {
	VERB_SERVER_WRITE, /* the whole server, to change it */
	VERB_SERVER_READ,  /* the whole server */
	VERB_APP_WRITE,    /* the app that the argument APP names */
	VERB_APP_READ,
	VERB_OBJECT_WRITE, /* the app of the named object: the */
	VERB_OBJECT_READ,  /* command itself looks it up */
	VERB_TERMINAL      /* not available in the console */
};

/* --name, with a value unless arg is NULL. */
struct cmd_option {
	const char *name;
	const char *arg; /* the value's name in the help */
	const char *help;
};

/* One command; the list ends with one without a name. */
struct verb_rule {
	const char *name; /* "app create" or "status" */
	const char *args; /* "APP [CHANNEL]", or "" */
	const char *summary;
	const struct cmd_option *options; /* up to name NULL; or NULL */
	enum verb_access access;
};

#endif
