/* SPDX-License-Identifier: MIT */
/*
 * diff.c: compares two apps, field by field.  Owns nothing.  Must never reveal
 * a secret, nor a part of one.
 */

#include "cli/import/diff.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "shared/app/app.h"

struct diff {
	import_diff_fn fn;
	void *arg;
	unsigned n;
};

static void
text(struct diff *d, const char *setting, const char *from, const char *to)
{
	from = from == NULL ? "" : from;
	to = to == NULL ? "" : to;
	if (strcmp(from, to) == 0)
		return;
	d->n++;
	d->fn(d->arg, setting, from, to);
}

static void
number(struct diff *d, const char *setting, uint32_t from, uint32_t to)
{
	char old[16], now[16];

	snprintf(old, sizeof(old), "%" PRIu32, from);
	snprintf(now, sizeof(now), "%" PRIu32, to);
	text(d, setting, old, now);
}

static void
boolean(struct diff *d, const char *setting, uint32_t from, uint32_t to)
{
	text(d, setting, from ? "on" : "off", to ? "on" : "off");
}

static bool
is_same_secret(const struct app *a, const struct app *b)
{
	return a->secret != NULL && b->secret != NULL &&
	    strcmp(a->secret, b->secret) == 0;
}

unsigned
import_diff(
    const struct app *old, const struct app *now, import_diff_fn fn, void *arg)
{
	struct diff d = { .fn = fn, .arg = arg };

	text(&d, "key", old->key, now->key);
	if (!is_same_secret(old, now)) {
		d.n++;
		fn(arg, "secret", NULL, NULL);
	}
	text(&d, "name", old->name, now->name);
	boolean(&d, "enabled", old->enabled, now->enabled);
	if (old->old_secret != NULL) /* it is valid */
		text(&d, "old_key", old->old_key, now->old_key);
#define APP_UINT(field, def, min, max, help) \
	number(&d, #field, old->field, now->field);
#define APP_BOOL(field, def, help) boolean(&d, #field, old->field, now->field);
#define APP_TEXT(field, def, help) text(&d, #field, old->field, now->field);
#include "shared/app/app_settings.def"
	return d.n;
}
