/* SPDX-License-Identifier: MIT */
#ifndef CLI_IMPORT_DOTENV_H
#define CLI_IMPORT_DOTENV_H

/* Files of environment variables, turned into JSON.  Pure. */

#include "shared/base/str.h"

struct cJSON;

/*
 * The variables that begin with this prefix, without it and in lower case, as
 * one object: NAME=value, export NAME="value"; '#' begins a comment.  The
 * text, free(3) it; or NULL and *why (free(3) it), a sentence with the line.
 */
char *dotenv_to_json(struct str text, const char *prefix, char **why);
/*
 * Prints the tree as text and frees it; it may hold secrets, so the memory is
 * wiped.
 */
char *dotenv_finish(struct cJSON *);

#endif
