/* SPDX-License-Identifier: MIT */
#ifndef SHARED_CONF_CONF_CHANGE_H
#define SHARED_CONF_CONF_CHANGE_H

/*
 * A configuration that changes while the server runs: what may change, and
 * the form in which the master hands it to its children.
 */

#include <stdbool.h>

#include "shared/base/str.h"

struct buf;
struct conf;

/* Does this option take effect only at the next start? */
bool conf_needs_restart(const char *name);
/*
 * Options of `fresh` that differ from those in force and cannot change now
 * get their old value and origin back.  Returns their names with ", "
 * between, or NULL when there are none; free(3) it.
 */
char *conf_keep(struct conf *fresh, const struct conf *live);
/* *live gets what *fresh holds, which is empty afterwards. */
void conf_replace(struct conf *live, struct conf *fresh);

/* Appends every option with its value and origin, and what follows. */
void conf_dump(const struct conf *, struct buf **);
/*
 * The opposite; the conf need not be initialised, and after an error it holds
 * nothing.  0, or -1 and *why (free(3) it).
 */
int conf_load_dump(struct conf *, struct str, char **why);

#endif
