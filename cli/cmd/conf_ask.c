/* SPDX-License-Identifier: MIT */
/*
 * conf_ask.c: a configuration file may be broken while the daemon runs on with
 * the version that it has read before.  Then pusherctl takes the values in
 * force from the daemon, and reads only the path of the socket from the file.
 * A missing file does not name the socket: a daemon at the default place counts
 * only if it has read this file, so that a mistyped -c never changes another
 * server.
 */

#include "cli/cmd/conf_ask.h"

#include <stdlib.h>
#include <string.h>

#include "cli/cmd/ctl.h"
#include "shared/base/xmalloc.h"

#define SOURCE "pusherd" /* where the values come from */

struct asking {
	struct conf *conf;
	const char *file; /* -c, or NULL */
	bool has_read;    /* a value comes from this file */
};

/* "FILE:12", where the daemon may know a longer path of the same file. */
static bool
is_origin(const char *origin, const char *file)
{
	const char *colon = strrchr(origin, ':');
	char *theirs, *ours;
	bool r;

	if (file == NULL || colon == NULL)
		return false;
	theirs = xstrndup(origin, (size_t)(colon - origin));
	ours = realpath(file, NULL);
	r = strcmp(theirs, file) == 0 ||
	    (ours != NULL && strcmp(theirs, ours) == 0);
	free(ours);
	free(theirs);
	return r;
}

void
conf_ask_read(struct json row, conf_each_fn fn, void *arg)
{
	char *name = json_dup(json_get(row, S("option"))),
	     *value = json_dup(json_get(row, S("value"))),
	     *origin = json_dup(json_get(row, S("origin")));

	if (name != NULL && value != NULL && origin != NULL)
		fn(arg, name, value, origin);
	free(origin);
	free(value);
	free(name);
}

static void
take(void *arg, const char *name, const char *value, const char *origin)
{
	struct asking *a = arg;
	char *why;

	/* A daemon of another version may know another option. */
	if (conf_set(a->conf, str_of(name), str_of(value), SOURCE, 0, &why) ==
	    -1)
		free(why);
	a->has_read = a->has_read || is_origin(origin, a->file);
}

static void
on_row(void *arg, struct json row)
{
	conf_ask_read(row, take, arg);
}

/* 0, or -1: it does not answer, or is not the one. */
static int
ask(struct asking *a, const char *path, bool is_said)
{
	struct ctl_question q = { .path = path,
		.verb = "config",
		.args = S("{}"),
		.timeout_ms = CTL_TIMEOUT_MS,
		.on_row = on_row,
		.arg = a };
	enum ctl_result r;
	char *why;

	r = ctl_ask(&q, &why);
	free(why);
	if (r != CTL_DONE || (a->file != NULL && !is_said && !a->has_read))
		return -1;
	if (conf_finish(a->conf, &why) == 0)
		return 0;
	free(why);
	return -1;
}

static void
on_database(void *arg, struct json row)
{
	char **database = arg, *name = json_dup(json_get(row, S("option")));

	if (name != NULL && strcmp(name, "database") == 0) {
		free(*database);
		*database = json_dup(json_get(row, S("value")));
	}
	free(name);
}

char *
conf_ask_database(const char *control_path)
{
	char *database = NULL, *why = NULL;
	struct ctl_question q = { .path = control_path,
		.verb = "config",
		.args = S("{}"),
		.timeout_ms = CTL_TIMEOUT_MS,
		.on_row = on_database,
		.arg = &database };

	ctl_ask(&q, &why);
	free(why);
	return database;
}

int
conf_ask(struct conf *conf, const char *file, char *const *arguments,
    size_t narguments)
{
	struct asking a = { .conf = conf, .file = file };
	bool is_said = false;
	char *path = conf_find_socket(file, arguments, narguments, &is_said);
	int r = -1;

	if (path == NULL)
		return -1;
	conf_init(conf);
	r = ask(&a, path, is_said);
	if (r == -1)
		conf_clear(conf);
	free(path);
	return r;
}
