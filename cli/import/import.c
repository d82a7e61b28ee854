/* SPDX-License-Identifier: MIT */
/*
 * import.c: shared by every kind of import: the notes about fields, and the
 * check of the apps against each other.  Owns the apps and notes until
 * import_clear().  Nothing is written to the database here.
 */

#include "cli/import/import.h"

#include <stdlib.h>
#include <string.h>

#include "shared/base/xmalloc.h"

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

/* An app of the file by its id or its key. */
struct named {
	const char *name;
	size_t number;
};

static int
by_name(const void *x, const void *y)
{
	const struct named *a = x, *b = y;
	int r = strcmp(a->name, b->name);

	return r != 0 ? r : (a->number > b->number) - (a->number < b->number);
}

static bool
has_same_id(const struct import *im, size_t i, size_t k)
{
	const char *x = im->apps[i].app.id, *y = im->apps[k].app.id;

	return x != NULL && y != NULL && strcmp(x, y) == 0;
}

/* Sorted, those of one name stand together, the first of the file first. */
static void
check_twins(struct import *im, bool id)
{
	struct named *v = xcalloc(im->napps + 1, sizeof(*v));
	size_t n = 0, first = 0, i;

	for (i = 0; i < im->napps; i++) {
		const struct app *a = &im->apps[i].app;
		const char *name = id ? a->id : a->key;

		if (name != NULL)
			v[n++] = (struct named){ name, i };
	}
	qsort(v, n, sizeof(*v), by_name);
	for (i = 1; i < n; i++) {
		if (strcmp(v[i].name, v[first].name) != 0) {
			first = i;
			continue;
		}
		if (!id && has_same_id(im, v[i].number, v[first].number))
			continue; /* has been said */
		im->nerrors++;
		import_add_note(&im->apps[v[i].number], IMPORT_ERROR,
		    id ? "id" : "key", v[i].name,
		    xasprintf("app %zu of the file has the same %s",
			v[first].number + 1, id ? "id" : "key"));
	}
	free(v);
}

void
import_check_twins(struct import *im)
{
	check_twins(im, true);
	check_twins(im, false);
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
		for (k = 0; k < a->nhooks; k++)
			webhook_clear(&a->hooks[k]);
		free(a->hooks);
		hook_set_clear(&a->taken);
		app_clear(&a->app);
	}
	free(im->apps);
	*im = (struct import){ .apps = NULL };
}
