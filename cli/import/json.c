/* SPDX-License-Identifier: MIT */
/*
 * json.c: reads apps of another server from JSON, by a table of its fields, and
 * notes for every field how it is handled.  Values may be numbers, or text as
 * from SQL drivers and environments.  Nothing is written here; a value that has
 * no counterpart is an error and is never changed to fit.
 */

#include "cli/import/json.h"
#include "cli/import/value.h"

#include <inttypes.h>
#include <stdlib.h>

#include "shared/app/credential.h"
#include "shared/base/buf.h"
#include "shared/base/xmalloc.h"
#include "shared/json/json_slice.h"

#define MAX_APPS 10000

/* ---- fields ---- */

struct reading {
	struct import *im;
	const struct import_source *from;
	struct import_app *a;
	const struct import_field *f;
	const char *name; /* as it is spelled there */
	struct json v;
	char *shown;
};

static void
error(struct reading *r, char *note)
{
	r->im->nerrors++;
	import_add_note(r->a, IMPORT_ERROR, r->name, r->shown, note);
}

static void
mapped(struct reading *r, const char *value)
{
	import_add_note(r->a, IMPORT_MAPPED, r->name, r->shown,
	    xasprintf("%s=%s", r->f->setting, value));
}

static void
ignored(struct reading *r, const char *why)
{
	import_add_note(r->a, IMPORT_IGNORED, r->name, r->shown, xstrdup(why));
}

static void
read_credential(struct reading *r)
{
	bool secret = strcmp(r->f->setting, "secret") == 0;
	struct app *app = &r->a->app;
	char **field = secret                   ? &app->secret
	    : strcmp(r->f->setting, "key") == 0 ? &app->key
						: &app->id;
	char *s = import_scalar(r->v);
	const char *bad;

	if (secret) {
		free(r->shown);
		r->shown = s != NULL ? credential_mask(s) : xstrdup("");
	}
	if (s == NULL) {
		error(r, xasprintf("%s must be a text", r->name));
		return;
	}
	bad = secret ? credential_check_secret(str_of(s))
		     : credential_check_name(str_of(s));
	if (bad != NULL) {
		error(r, xasprintf("the %s %s", r->f->setting, bad));
		free(s);
		return;
	}
	if (secret && strcmp(s, "app-secret") == 0)
		import_add_note(r->a, IMPORT_MAPPED, r->name, r->shown,
		    xasprintf("secret: %s's published default, which "
			      "everyone knows: replace it",
			r->from->name));
	else
		mapped(r, secret ? r->shown : s);
	free(*field);
	*field = s;
}

static void
read_name(struct reading *r)
{
	char *s = import_scalar(r->v);
	const char *bad;

	bad = s == NULL ? "is not a text" : credential_check_label(str_of(s));
	if (bad == NULL) {
		mapped(r, s);
		free(r->a->app.name);
		r->a->app.name = s;
		return;
	}
	error(r, xasprintf("the name %s", bad));
	free(s);
}

static void
assign(struct reading *r, const char *value)
{
	char *why = NULL;

	if (app_set(&r->a->app, r->f->setting, value, &why) == -1)
		error(r, why);
	else
		mapped(r, value);
}

static void
read_bool(struct reading *r)
{
	int on = import_truth(r->v);

	if (on == -1) {
		error(r, xasprintf("%s must be true or false", r->name));
	} else if (r->f->kind == IMPORT_ENABLED) {
		r->a->app.enabled = (uint32_t)on;
		mapped(r, on ? "on" : "off");
	} else {
		assign(r, on ? "on" : "off");
	}
}

static void
read_number(struct reading *r)
{
	char *s = import_scalar(r->v), *bytes;

	if (s != NULL && r->f->kind == IMPORT_KILOBYTES) {
		bytes = import_kilobytes(s);
		free(s);
		s = bytes;
	} else if (s != NULL && r->f->kind == IMPORT_LIMIT &&
	    strcmp(s, "-1") == 0) {
		free(s);
		s = xstrdup("0");
	}
	if (s == NULL)
		error(r, xasprintf("%s must be a number", r->name));
	else
		assign(r, s);
	free(s);
}

/* One origin pattern, behind the others. */
static void
add_origin(struct buf **list, struct str origin)
{
	if (origin.n == 0)
		return;
	if (*list != NULL && (*list)->len > 0)
		buf_putc(list, ' ');
	buf_append(list, origin);
}

/* A list, or text with commas; "*" alone becomes empty. */
static void
read_origins(struct reading *r)
{
	char *text = import_scalar(r->v), *one;
	struct buf *list = NULL;
	struct str rest = str_of(text);
	struct json e;
	size_t pos = 0;

	while (text != NULL && rest.p != NULL)
		add_origin(&list, str_trim(str_cut(&rest, ',')));
	while (r->v.kind == JSON_ARRAY && json_next(r->v, &pos, &e)) {
		one = import_scalar(e);
		add_origin(&list, str_of(one));
		free(one);
	}
	free(text);
	text = str_dup(str_eq(buf_str(list), S("*")) ? S("") : buf_str(list));
	buf_unref(list);
	if (r->v.kind != JSON_ARRAY && r->v.kind != JSON_STRING)
		error(r, xasprintf("%s must be a list of origins", r->name));
	else
		assign(r, text);
	free(text);
}

/* Reverb's accept_client_events_from. */
static void
read_senders(struct reading *r)
{
	char *s = import_scalar(r->v), *why = NULL;
	bool members = s != NULL && strcmp(s, "members") == 0;
	bool all = s != NULL && strcmp(s, "all") == 0;

	if (!members && !all && (s == NULL || strcmp(s, "none") != 0)) {
		error(r, xasprintf("%s must be all, members or none", r->name));
	} else if (app_set(&r->a->app, r->f->setting,
		       members || all ? "on" : "off", &why) == -1) {
		error(r, why);
	} else if (all) {
		import_add_note(r->a, IMPORT_MAPPED, r->name, r->shown,
		    xasprintf("%s=on (here: of members only)", r->f->setting));
	} else {
		mapped(r, members ? "on" : "off");
	}
	free(s);
}

static void
read_setting(struct reading *r)
{
	bool truth = r->v.kind == JSON_TRUE || r->v.kind == JSON_FALSE;
	char *s = truth ? xstrdup(r->v.kind == JSON_TRUE ? "on" : "off")
			: import_scalar(r->v);

	if (s == NULL)
		error(r, xasprintf("%s must be one value", r->name));
	else
		assign(r, s);
	free(s);
}

static void
read_value(struct reading *r)
{
	if (r->v.kind == JSON_NULL && r->f->kind != IMPORT_CREDENTIAL) {
		ignored(r, "null: the default of pusherd stays");
		return;
	}
	switch (r->f->kind) {
	case IMPORT_CREDENTIAL:
		read_credential(r);
		break;
	case IMPORT_NAME:
		read_name(r);
		break;
	case IMPORT_ENABLED:
	case IMPORT_BOOL:
		read_bool(r);
		break;
	case IMPORT_LIMIT:
	case IMPORT_NUMBER:
	case IMPORT_KILOBYTES:
		read_number(r);
		break;
	case IMPORT_WEBHOOKS:
		import_hooks(r->im, r->a, r->name, r->v);
		break;
	case IMPORT_ORIGINS:
		read_origins(r);
		break;
	case IMPORT_SENDERS:
		read_senders(r);
		break;
	case IMPORT_SETTING:
		read_setting(r);
		break;
	case IMPORT_NOTHING:
		ignored(r, r->f->setting);
		break;
	case IMPORT_OBJECT:
		break; /* its members were read */
	}
}

/* The field with this spelling, or NULL. */
static const struct import_field *
find_field(const struct import_source *from, const char *name)
{
	const struct import_field *f;
	size_t i;

	for (i = 0; i < from->n; i++) {
		f = &from->fields[i];
		if (f->other != NULL && strcmp(f->other, name) == 0)
			return f;
		if (str_eq_nocase(str_make(name, 1), str_make(f->name, 1)) &&
		    strcmp(name + 1, f->name + 1) == 0)
			return f;
	}
	return NULL;
}

struct seen {
	const struct import_source *from;
	bool v[IMPORT_FIELDS_MAX];
};

static void read_members(
    struct import *im, struct import_app *a, struct json obj, struct seen *);

static void
read_member(struct import *im, struct import_app *a, const char *name,
    struct json v, struct seen *seen)
{
	struct reading r = {
		.im = im, .from = seen->from, .a = a, .name = name, .v = v
	};
	char *why;

	r.f = find_field(seen->from, name);
	r.shown = import_value_text(v);
	if (r.f == NULL) {
		why = xasprintf(
		    "no such field in %s, or not used by it", seen->from->name);
		ignored(&r, why);
		free(why);
	} else if (r.f->kind == IMPORT_OBJECT && v.kind == JSON_OBJECT) {
		read_members(im, a, v, seen);
	} else if (seen->v[r.f - seen->from->fields]) {
		error(&r, xasprintf("%s is there twice", r.f->name));
	} else {
		seen->v[r.f - seen->from->fields] = true;
		read_value(&r);
	}
	free(r.shown);
}

static void
read_members(
    struct import *im, struct import_app *a, struct json obj, struct seen *seen)
{
	struct json key, v;
	char *name;
	size_t pos = 0;

	while (json_next_member(obj, &pos, &key, &v)) {
		name = import_scalar(key);
		if (name == NULL)
			name = str_dup(key.raw);
		read_member(im, a, name, v, seen);
		free(name);
	}
}

static void
missing(struct import *im, struct import_app *a, const struct seen *seen)
{
	const struct import_field *f;
	size_t i;

	for (i = 0; i < seen->from->n; i++) {
		f = &seen->from->fields[i];
		if (seen->v[i])
			continue;
		if (f->kind == IMPORT_CREDENTIAL) {
			im->nerrors++;
			import_add_note(a, IMPORT_ERROR, f->name, "",
			    xasprintf("%s is missing", f->name));
		} else if (seen->from->client_events != NULL &&
		    f->setting != NULL &&
		    strcmp(f->setting, "max_client_events_per_second") == 0) {
			import_add_note(a, IMPORT_DEFAULT, f->name, "",
			    xasprintf("%s=%" PRIu32 " (%s: %s)", f->setting,
				a->app.max_client_events_per_second,
				seen->from->name, seen->from->client_events));
		} else if (f->kind == IMPORT_SENDERS) {
			import_add_note(a, IMPORT_DEFAULT, f->name, "",
			    xasprintf("%s=off; %s lets members send events: "
				      "pusherctl app set %s %s=on",
				f->setting, seen->from->name,
				a->app.id == NULL ? "APP" : a->app.id,
				f->setting));
		}
	}
	if (a->app.name == NULL)
		a->app.name = xstrdup("");
}

/* ---- apps ---- */

static void
read_app(struct import *im, const struct import_source *from, struct json obj)
{
	struct seen seen = { .from = from };
	struct import_app *a;

	im->apps = xreallocarray(im->apps, im->napps + 1, sizeof(*im->apps));
	a = &im->apps[im->napps++];
	*a = (struct import_app){ .notes = NULL };
	app_init(&a->app);
	if (obj.kind != JSON_OBJECT) {
		im->nerrors++;
		import_add_note(a, IMPORT_ERROR, "", "",
		    xstrdup("not an object with the fields of an app"));
		return;
	}
	read_members(im, a, obj, &seen);
	missing(im, a, &seen);
}

/* "a.b.c" as one member, or as members of members. */
static struct json
find_path(struct json v, struct str path)
{
	struct json whole = json_get(v, path);

	if (whole.kind != JSON_NONE)
		return whole;
	while (path.p != NULL)
		v = json_get(v, str_cut(&path, '.'));
	return v;
}

/* The array of apps in the text; JSON_NONE when there is none. */
static struct json
find_apps(const struct import_source *from, struct json v)
{
	struct json apps = { .kind = JSON_NONE };
	size_t i;

	if (v.kind != JSON_OBJECT)
		return v;
	for (i = 0; from->paths[i] != NULL && apps.kind == JSON_NONE; i++)
		apps = find_path(v, str_of(from->paths[i]));
	return apps;
}

int
import_json(struct str text, const struct import_source *from,
    struct import *im, char **why)
{
	struct json v, app;
	const char *err;
	size_t pos = 0;

	*im = (struct import){ .apps = NULL };
	if (json_parse(text, &v, &err) == -1) {
		*why = xasprintf("not JSON: %s", err);
		return -1;
	}
	v = find_apps(from, v);
	if (v.kind != JSON_ARRAY) {
		*why = xasprintf(
		    "not an array of apps: expected [{\"id\":…,\"key\":…,"
		    "\"secret\":…},…] or a %s configuration "
		    "file with %s",
		    from->name, from->paths[0]);
		return -1;
	}
	while (json_next(v, &pos, &app)) {
		if (im->napps == MAX_APPS) {
			*why = xasprintf("more than %d apps", MAX_APPS);
			import_clear(im);
			return -1;
		}
		read_app(im, from, app);
	}
	import_check_twins(im);
	return 0;
}
