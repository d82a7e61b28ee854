/* SPDX-License-Identifier: MIT */
/*
 * import.c: what every kind of import shares: the notes about fields, the
 * check of the apps against each other.  Owns the apps and notes until
 * import_clear().  Nothing is written to the database here.
 */

#include "cli/import.h"

#include <stdlib.h>

#include "shared/xmalloc.h"

void
import_add_note(struct import_app *a, enum import_result result,
    const char *name, const char *value, char *note)
{
	a->notes = xreallocarray(a->notes, a->nnotes + 1, sizeof(*a->notes));
	a->notes[a->nnotes++] = (struct import_note){ .result = result,
		.field = xstrdup(name),
		.value = xstrdup(value),
		.note = note };
}

static void
check_twins(struct import *im, size_t i, size_t k)
{
	const struct app *x = &im->apps[k].app, *y = &im->apps[i].app;
	bool id = x->id != NULL && y->id != NULL && strcmp(x->id, y->id) == 0;
	bool key =
	    x->key != NULL && y->key != NULL && strcmp(x->key, y->key) == 0;

	if (!id && !key)
		return;
	im->nerrors++;
	import_add_note(&im->apps[i], IMPORT_ERROR, id ? "id" : "key",
	    id ? y->id : y->key,
	    xasprintf("app %zu of the file has the same %s", k + 1,
		id ? "id" : "key"));
}

void
import_check_twins(struct import *im)
{
	size_t i, k;

	for (i = 0; i < im->napps; i++)
		for (k = 0; k < i; k++)
			check_twins(im, i, k);
}

void
import_clear(struct import *im)
{
	struct import_app *a;
	size_t i, k;

	for (i = 0; i < im->napps; i++) {
		a = &im->apps[i];
		for (k = 0; k < a->nnotes; k++) {
			free(a->notes[k].field);
			free(a->notes[k].value);
			free(a->notes[k].note);
		}
		free(a->notes);
		app_clear(&a->app);
	}
	free(im->apps);
	*im = (struct import){ .apps = NULL };
}
