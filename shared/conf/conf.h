/* SPDX-License-Identifier: MIT */
#ifndef SHARED_CONF_CONF_H
#define SHARED_CONF_CONF_H

/*
 * The configuration: default < file < environment < command line.  All of it is
 * defined by conf_options.def.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "shared/base/str.h"

struct ip_net;
struct listen_spec;

struct conf_list {
	char **v;
	char **origins; /* of each value; NULL: of notes */
	size_t n;
};

struct conf {
#define CONF_TEXT(name, def, help) char *name;
#define CONF_PATH(name, def, help) char *name;
#define CONF_LIST(name, def, help) struct conf_list name;
#define CONF_UINT(name, def, min, max, help) uint64_t name;
#define CONF_ENUM(name, def, choices, help) char *name;
#define CONF_BOOL(name, def, help) bool name;
#include "shared/conf/conf_options.def"
	/* Computed from the values above by conf_finish(). */
	unsigned nworkers;
	char *broker_path;             /* runtime_dir/broker.sock */
	char *control_path;            /* runtime_dir/ctl.sock */
	struct listen_spec *listeners; /* of listen */
	size_t nlisteners;
	struct ip_net *trusted; /* of trusted_proxies */
	size_t ntrusted;
	/*
	 * The origin of each option's value, in the order of the list; of a
	 * list option, its last value.
	 */
	char **origin;
	/* Warnings for the operator: sentences. */
	struct conf_list notes;
	/* The base of relative paths; NULL: the current directory. */
	char *base;
};

#define CONF_DEFAULT_FILE "/etc/pusherd/pusherd.conf"

/*
 * Every function that can fail returns 0, or -1 and *why (free(3) it): one
 * sentence with the origin ("pusherd.conf:12", "environment", "command line"),
 * the option, the value and the allowed values.
 */

/* All options at their defaults. */
void conf_init(struct conf *);
void conf_clear(struct conf *);
/*
 * Sets one option from text.  source: "environment", or with line != 0 a file's
 * name.  A list is replaced by the first value of a source and grows with the
 * next ones; commas separate several in one value.
 */
int conf_set(struct conf *, struct str name, struct str value,
    const char *source, unsigned line, char **why);
/*
 * `key value` lines; '#' starts a comment; values may be quoted.  `name` stands
 * for the file in sentences.
 */
int conf_read_text(
    struct conf *, const char *name, struct str text, char **why);
/* "key=value" from -o. */
int conf_read_argument(struct conf *, const char *text, char **why);
/*
 * Checks the options in combination and fills in the rest: listeners, networks,
 * worker count, pid_file; makes paths absolute.
 */
int conf_finish(struct conf *, char **why);
/* Does this for the paths only. */
int conf_finish_paths(struct conf *, char **why);
/* free(3) it; NULL: it is relative, and the current directory is unknown. */
char *conf_full_path(const struct conf *, const char *name);
/* Forgets the listeners and networks that conf_finish() has computed. */
void conf_unfinish(struct conf *);
/*
 * Reads all sources in the right order, for pusherd and pusherctl alike.  file:
 * the value of -c, or NULL: CONF_DEFAULT_FILE if it exists.  The conf need not
 * be initialised, and after an error it holds nothing.
 */
int conf_load(struct conf *, const char *file, char *const *arguments,
    size_t narguments, char **why);
/*
 * The file of this -c (or NULL) that is read, or NULL: none.  The default file
 * may be missing, but must be readable if it exists.
 */
const char *conf_file_read(const char *file);
/*
 * The same again while the server runs, whatever its directory is now.  base:
 * the directory that it was started in, for relative paths.
 */
int conf_load_again(struct conf *, const char *base, const char *file,
    char *const *arguments, size_t narguments, char **why);
/*
 * For a configuration that conf_load() refuses: only the path of the control
 * socket, from the valid parts of the file, the environment and the command
 * line.  *is_said: one of them sets it.  free(3) it; NULL: an argument is
 * wrong.
 */
char *conf_find_socket(
    const char *file, char *const *arguments, size_t narguments, bool *is_said);
/* The origin of an option's value; "" for an unknown one. */
const char *conf_origin(const struct conf *, const char *name);
/* Calls back for each option; for a list, with each of its values. */
typedef void (*conf_each_fn)(
    void *arg, const char *name, const char *value, const char *origin);
void conf_each(const struct conf *, conf_each_fn, void *arg);
/* "name value    # origin" for each option (pusherd -T). */
void conf_print(const struct conf *, FILE *);
/* The commented example file (etc/pusherd.conf). */
void conf_print_example(FILE *);
/* The manual page (etc/man/pusherd.conf.5). */
void conf_print_man(FILE *);

#endif
