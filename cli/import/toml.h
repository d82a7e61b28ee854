/* SPDX-License-Identifier: MIT */
#ifndef CLI_IMPORT_TOML_H
#define CLI_IMPORT_TOML_H

/*
 * TOML 1.0, turned into JSON for the readers of apps.  Pure.  The text, free(3)
 * it; or NULL and *why (free(3) it), a sentence with the line.  Dates and
 * multi-line strings are refused, not misread.
 */

#include "shared/base/str.h"

char *toml_to_json(struct str text, char **why);
#endif
