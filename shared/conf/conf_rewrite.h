/* SPDX-License-Identifier: MIT */
#ifndef SHARED_CONF_CONF_REWRITE_H
#define SHARED_CONF_CONF_REWRITE_H

/* Writes options into the text of a configuration file. */

#include <stdbool.h>
#include <stddef.h>

#include "shared/base/str.h"

struct buf;

struct conf_rewrite {
	char *name;
	char *value;
	bool is_there, is_done; /* while it is written */
};

/*
 * Appends the text with these values.  A value replaces the one that stands
 * there, of a list all; else it comes after the commented example of its
 * option, or at the end.  All other lines and all comments stay.
 */
void conf_rewrite(
    struct str text, struct conf_rewrite *, size_t n, struct buf **);
/* Appends a value; quoted, if the reader would otherwise read it differently.
 */
void conf_put_value(struct buf **, const char *value);

#endif
