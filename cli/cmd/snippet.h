/* SPDX-License-Identifier: MIT */
#ifndef CLI_CMD_SNIPPET_H
#define CLI_CMD_SNIPPET_H

/* Code to copy, filled in with an app's credentials.  Pure. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/buf.h"

struct app;

struct snippet_values {
	const struct app *app;
	const char *host; /* for an URL: IPv6 in brackets */
	unsigned port;
	bool tls;         /* that is how clients have to come */
	const char *self; /* the command line of pusherctl, for the shell */
};

struct snippet {
	const char *key;   /* "pusher-js": in JSON */
	const char *title; /* for people */
	/* Appends the text; every line ends with a line feed. */
	void (*write)(struct buf **, const struct snippet_values *);
};

extern const struct snippet snippets[];
extern const size_t nsnippets;

#endif
