/* SPDX-License-Identifier: MIT */
#ifndef CLI_IMPORT_IMPORT_H
#define CLI_IMPORT_IMPORT_H

/* Apps of other servers, turned into apps of pusherd.  Pure. */

#include <stddef.h>

#include "cli/import/hook_set.h"
#include "shared/app/app.h"
#include "shared/base/str.h"
#include "shared/pusher/webhook.h"

enum import_result {
	IMPORT_MAPPED,  /* note is "setting=value" */
	IMPORT_IGNORED, /* note says why */
	IMPORT_DEFAULT, /* not given, and pusherd's default (note) differs */
	IMPORT_ERROR    /* note is a sentence */
};

/* The result for one field. */
struct import_note {
	enum import_result result;
	char *field;
	char *value; /* unchanged; secrets are masked */
	char *note;
};

struct import_app {
	struct app app; /* id, key and secret may be NULL after errors */
	struct import_note *notes;
	size_t nnotes;
	struct webhook *hooks; /* without num and app */
	size_t nhooks;
	struct hook_set taken; /* the same ones */
};

struct import {
	struct import_app *apps;
	size_t napps;
	size_t nerrors; /* over all apps; unless 0, nothing may be written */
};

/*
 * soketi's apps: the JSON array of its array driver, a configuration file with
 * such an array (appManager.array.apps), or rows of its SQL table as JSON
 * (snake_case columns).  0, or -1 and *why (free(3) it) when the text is none
 * of these; errors inside an app are notes.
 */
int import_soketi(struct str text, struct import *, char **why);
/* Sockudo's apps: JSON, TOML, or SOCKUDO_DEFAULT_APP_ variables. */
int import_sockudo(struct str text, struct import *, char **why);
/* Reverb's: JSON of config/reverb.php, or REVERB_APP_ variables (.env). */
int import_reverb(struct str text, struct import *, char **why);
/* pusherd's own: the output of `pusherctl app export`. */
int import_pusherd(struct str text, struct import *, char **why);
void import_clear(struct import *);

/* For the readers of each kind. */

/* Appends a note; takes the text `note`. */
void import_add_note(struct import_app *, enum import_result, const char *field,
    const char *value, char *note);
/* An id or key that two of the apps have is an error; O(n^2). */
void import_check_twins(struct import *);

#endif
