/* SPDX-License-Identifier: MIT */
#ifndef CLI_IMPORT_JSON_H
#define CLI_IMPORT_JSON_H

/* Apps of another server in JSON, by a table of its fields.  Pure. */

#include "cli/import/import.h"
#include "shared/json/json_slice.h"

enum import_kind {
	IMPORT_CREDENTIAL,
	IMPORT_NAME,
	IMPORT_ENABLED,
	IMPORT_BOOL,
	IMPORT_LIMIT, /* -1: no limit, which is 0 in pusherd */
	IMPORT_NUMBER,
	IMPORT_KILOBYTES,
	IMPORT_WEBHOOKS,
	IMPORT_ORIGINS, /* a list */
	IMPORT_SENDERS, /* all, members, none */
	IMPORT_SETTING, /* a value of pusherd, in its unit */
	IMPORT_NOTHING, /* has no counterpart: setting has the reason */
	IMPORT_OBJECT   /* its members are fields of the app */
};

#define IMPORT_FIELDS_MAX 64

/* The spellings: with a small or a capital first letter, and one more. */
struct import_field {
	const char *name, *other;
	enum import_kind kind;
	const char *setting; /* in pusherd */
};

struct import_source {
	const char *name; /* of the server, for sentences */
	const struct import_field *fields;
	size_t n; /* at most IMPORT_FIELDS_MAX */
	/* The possible places of the array of apps in a file; up to NULL. */
	const char *const *paths;
	/* Its client events per second if the file says nothing; or NULL. */
	const char *client_events;
};

/* As import_soketi(). */
int import_json(
    struct str text, const struct import_source *, struct import *, char **why);
/* The webhooks of an app, a list or the text of one; name: of the field. */
void import_hooks(
    struct import *, struct import_app *, const char *name, struct json);

#endif
