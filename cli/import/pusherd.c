/* SPDX-License-Identifier: MIT */
/*
 * pusherd.c: the fields of pusherd's own apps, as `pusherctl app export` writes
 * them: every setting under its name.
 */

#include "cli/import/json.h"
#include "shared/base/base.h"

#define SETTING(field) { #field, NULL, IMPORT_SETTING, #field },
#define APP_UINT(field, def, min, max, help) SETTING(field)
#define APP_BOOL(field, def, help) SETTING(field)
#define APP_TEXT(field, def, help) SETTING(field)

static const struct import_field fields[] = {
	{ "id", NULL, IMPORT_CREDENTIAL, "id" },
	{ "key", NULL, IMPORT_CREDENTIAL, "key" },
	{ "secret", NULL, IMPORT_CREDENTIAL, "secret" },
	{ "name", NULL, IMPORT_NAME, "name" },
	{ "enabled", NULL, IMPORT_ENABLED, "enabled" },
	{ "webhooks", NULL, IMPORT_WEBHOOKS, NULL },
#include "shared/app/app_settings.def"
};

_Static_assert(nitems(fields) <= IMPORT_FIELDS_MAX, "IMPORT_FIELDS_MAX");

int
import_pusherd(struct str text, struct import *im, char **why)
{
	static const char *const paths[] = { "apps", NULL };
	static const struct import_source from = { "pusherd", fields,
		nitems(fields), paths, NULL };

	return import_json(text, &from, im, why);
}
