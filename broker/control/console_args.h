/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CONTROL_CONSOLE_ARGS_H
#define BROKER_CONTROL_CONSOLE_ARGS_H

/* Turns a request of the console into the words of a command.  Pure. */

#include <stdbool.h>

#include "shared/base/buf.h"
#include "shared/ipc/verb_rule.h"
#include "shared/json/json_slice.h"

/* The rights of a session. */
struct console_right {
	const char *app; /* the id of the only app; NULL: the whole server */
	bool read_only;
};

/* The rule of this name, or NULL. */
const struct verb_rule *console_rule(
    const struct verb_rule *rules, struct str name);
bool console_is_write(const struct verb_rule *);
/*
 * Makes {"app":"demo","limit":10,"yes":true} a JSON array of words, with the
 * verb first.  The members are the arguments of the rule in lower case and the
 * options; FILE can only be "-".  A missing app is the session's.  NULL, and an
 * HTTP status (400, 403) and a sentence in why.
 */
struct buf *console_words(const struct verb_rule *, struct json args,
    const struct console_right *, unsigned *status, char why[256]);

#endif
