/* SPDX-License-Identifier: MIT */
#ifndef SHARED_CONF_CONF_CHANGE_H
#define SHARED_CONF_CONF_CHANGE_H

/*
 * A configuration that changes while the server runs: the options that may
 * change, and the form in which the master sends it to its children.
 */

#include <stdbool.h>

#include "shared/base/str.h"

struct buf;
struct conf;

/* Does this option take effect only at the next start? */
bool conf_needs_restart(const char *name);
/*
 * Options of `fresh` that differ from those in force and cannot change now get
 * their old value and origin back.  Returns their names with ", " between, or
 * NULL if there are none; free(3) it.
 */
char *conf_keep(struct conf *fresh, const struct conf *live);
/* Moves *fresh to live; *fresh is empty afterwards. */
void conf_replace(struct conf *live, struct conf *fresh);

/* Appends every option with its value and origin, and the computed values. */
void conf_dump(const struct conf *, struct buf **);
/*
 * Reads that text; the conf need not be initialised, and after an error it
 * holds nothing.  0, or -1 and *why (free(3) it).
 */
int conf_load_dump(struct conf *, struct str, char **why);

/* The origin of a value that `pusherctl config set` has set. */
#define CONF_SET "config set"
/* The same, where this origin and not the file counts at the next start. */
#define CONF_SET_OVER CONF_SET " over the "
/*
 * The configuration in force with another value of one option that can change
 * while the server runs; the conf need not be initialised, and after an error
 * it holds nothing.  0, or -1 and *why (free(3) it).
 */
int conf_load_changed(struct conf *, const struct conf *live, struct str name,
    struct str value, char **why);

#endif
