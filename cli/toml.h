/* SPDX-License-Identifier: MIT */
#ifndef CLI_TOML_H
#define CLI_TOML_H

/*
 * TOML 1.0 and .env files, turned into JSON for the readers of apps.  Pure.
 * Both: the text, free(3) it; or NULL and *why (free(3) it), a sentence with
 * the line.  Dates and multi-line strings are refused, not misread.
 */

#include "shared/str.h"

char *toml_to_json(struct str text, char **why);
/*
 * The variables that begin with this prefix, without it and in lower case, as
 * one object: NAME=value, export NAME="value"; '#' begins a comment.
 */
char *dotenv_to_json(struct str text, const char *prefix, char **why);

#endif
