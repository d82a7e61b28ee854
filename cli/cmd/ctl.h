/* SPDX-License-Identifier: MIT */
#ifndef CLI_CMD_CTL_H
#define CLI_CMD_CTL_H

/* Asks the running daemon, over its control socket; blocking. */

#include <stdbool.h>
#include <stdint.h>

#include "shared/base/str.h"
#include "shared/json/json_slice.h"

#define CTL_TIMEOUT_MS 10000

enum ctl_result {
	CTL_DONE,    /* answered, code 0 */
	CTL_REFUSED, /* answered, another code; why is its text */
	CTL_ABSENT,  /* no daemon runs; why has the path */
	CTL_SILENT,  /* the question was sent, and no answer came in time */
	CTL_FAILED   /* cannot be reached, or no valid answer */
};

/* One row, a JSON object; valid until the function returns. */
typedef void (*ctl_row)(void *arg, struct json row);

struct ctl_question {
	const char *path; /* conf->control_path */
	const char *verb;
	struct str args; /* a JSON object */
	/* How long the other end may be silent; 0: no limit. */
	unsigned timeout_ms;
	ctl_row on_row;    /* NULL: rows are not wanted */
	void *arg;         /* of on_row */
	const bool *stop;  /* NULL, or: when true, enough has been read */
	const char *scope; /* the only app that it may concern; NULL: any */
	int *fd;           /* NULL, or: the connection, for on_row */
};

/*
 * One connection, one question.  Unless CTL_DONE: *why is a sentence or the
 * daemon's text, free(3) it.
 */
enum ctl_result ctl_ask(const struct ctl_question *, char **why);

#endif
