/* SPDX-License-Identifier: MIT */
/*
 * import_soketi.c: reads the apps of soketi and says of every field what
 * becomes of it.  Source of names, spellings and defaults: soketi's src/app.ts
 * and its documentation of app limits.  Values may be numbers, or text as its
 * SQL drivers give them.  Nothing is written here; a value that has no place
 * with us is an error, never bent until it fits.
 */

#include "cli/import.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/credential.h"
#include "shared/base.h"
#include "shared/json_slice.h"
#include "shared/xmalloc.h"

#define MAX_APPS 10000
#define VALUE_SHOWN 60 /* bytes of a value in a note */

enum kind {
	KIND_CREDENTIAL,
	KIND_NAME,
	KIND_ENABLED,
	KIND_BOOL,
	KIND_LIMIT, /* -1: no limit, which is 0 with us */
	KIND_NUMBER,
	KIND_KILOBYTES,
	KIND_SIGNIN,
	KIND_WEBHOOKS
};

/* The spellings: the name in camelCase, in PascalCase and one more. */
struct field {
	const char *name, *other;
	enum kind kind;
	const char *setting; /* ours */
};

static const struct field fields[] = {
	{ "id", "AppId", KIND_CREDENTIAL, "id" },
	{ "key", "AppKey", KIND_CREDENTIAL, "key" },
	{ "secret", "AppSecret", KIND_CREDENTIAL, "secret" },
	{ "name", NULL, KIND_NAME, "name" },
	{ "enabled", NULL, KIND_ENABLED, "enabled" },
	{ "enableClientMessages", "enable_client_messages", KIND_BOOL,
	    "client_events" },
	{ "maxConnections", "max_connections", KIND_LIMIT, "max_connections" },
	{ "maxBackendEventsPerSecond", "max_backend_events_per_sec", KIND_LIMIT,
	    "max_backend_events_per_second" },
	{ "maxClientEventsPerSecond", "max_client_events_per_sec", KIND_LIMIT,
	    "max_client_events_per_second" },
	{ "maxReadRequestsPerSecond", "max_read_req_per_sec", KIND_LIMIT,
	    "max_read_requests_per_second" },
	{ "maxPresenceMembersPerChannel", "max_presence_members_per_channel",
	    KIND_NUMBER, "max_presence_members" },
	{ "maxPresenceMemberSizeInKb", "max_presence_member_size_in_kb",
	    KIND_KILOBYTES, "max_presence_member_bytes" },
	{ "maxChannelNameLength", "max_channel_name_length", KIND_NUMBER,
	    "max_channel_name_length" },
	{ "maxEventChannelsAtOnce", "max_event_channels_at_once", KIND_NUMBER,
	    "max_event_channels" },
	{ "maxEventNameLength", "max_event_name_length", KIND_NUMBER,
	    "max_event_name_length" },
	{ "maxEventPayloadInKb", "max_event_payload_in_kb", KIND_KILOBYTES,
	    "max_event_bytes" },
	{ "maxEventBatchSize", "max_event_batch_size", KIND_NUMBER,
	    "max_batch_events" },
	{ "enableUserAuthentication", "enable_user_authentication", KIND_SIGNIN,
	    NULL },
	{ "webhooks", NULL, KIND_WEBHOOKS, NULL },
};

/* A value for people: a string without quotes and escapes, shortened. */
static char *
value_text(struct json v)
{
	struct str s = v.raw;
	char *tmp = NULL, *text;
	size_t n;

	/* A webhook may have passwords in it. */
	if (v.kind == JSON_ARRAY || v.kind == JSON_OBJECT)
		return xstrdup(
		    v.kind == JSON_ARRAY ? "[\xe2\x80\xa6]" : "{\xe2\x80\xa6}");
	if (v.kind == JSON_STRING && json_string(v, &s, &tmp) == -1)
		s = v.raw;
	n = MIN(s.n, VALUE_SHOWN);
	while (n < s.n && n > 0 && ((unsigned char)s.p[n] & 0xc0) == 0x80)
		n--;
	text = xasprintf("%.*s%s", (int)n, s.p, n < s.n ? "\xe2\x80\xa6" : "");
	free(tmp);
	return text;
}

/* ---- values ---- */

/*
 * The text of a string or a number, NUL-terminated, free(3) it; NULL when it
 * is neither or has a NUL or a lone surrogate in it.
 */
static char *
scalar(struct json v)
{
	struct str s = v.raw;
	char *tmp = NULL, *text = NULL;

	if (v.kind != JSON_STRING && v.kind != JSON_NUMBER)
		return NULL;
	if (v.kind == JSON_NUMBER || json_string(v, &s, &tmp) == 0)
		if (str_find(s, '\0') == -1)
			text = str_dup(s);
	free(tmp);
	return text;
}

/* true, false, 1, 0 and the same as text: 1, 0, or -1. */
static int
truth(struct json v)
{
	char *s = scalar(v);
	int r = -1;

	if (v.kind == JSON_TRUE || v.kind == JSON_FALSE)
		r = v.kind == JSON_TRUE;
	else if (s != NULL && (strcmp(s, "1") == 0 || strcmp(s, "true") == 0))
		r = 1;
	else if (s != NULL && (strcmp(s, "0") == 0 || strcmp(s, "false") == 0))
		r = 0;
	free(s);
	return r;
}

/*
 * A decimal number of kilobytes, perhaps with a fraction, as whole bytes in
 * decimal: free(3) it.  NULL when it is no such number.
 */
static char *
kilobytes(const char *s)
{
	double bytes;
	char *end;

	/* strtod(3) takes more than decimals: blanks, hex, inf, nan. */
	if (*s == '\0' || s[strspn(s, "0123456789.eE+-")] != '\0')
		return NULL;
	bytes = ceil(strtod(s, &end) * 1024);
	if (*end != '\0' || !(bytes >= 0) || bytes > 1e15)
		return NULL;
	return xasprintf("%.0f", bytes);
}

/* ---- fields ---- */

struct reading {
	struct import *im;
	struct import_app *a;
	const struct field *f;
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
	char *s = scalar(r->v);
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
		    xstrdup("secret: soketi's published default, which "
			    "everybody knows: replace it"));
	else
		mapped(r, secret ? r->shown : s);
	free(*field);
	*field = s;
}

static void
read_name(struct reading *r)
{
	char *s = scalar(r->v);
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
read_bool(struct reading *r)
{
	int on = truth(r->v);
	char *why = NULL;

	if (on == -1) {
		error(r, xasprintf("%s must be true or false", r->name));
		return;
	}
	if (r->f->kind == KIND_ENABLED)
		r->a->app.enabled = (uint32_t)on;
	else if (app_set(&r->a->app, r->f->setting, on ? "on" : "off", &why) ==
	    -1) {
		error(r, why);
		return;
	}
	mapped(r, on ? "on" : "off");
}

static void
read_number(struct reading *r)
{
	char *s = scalar(r->v), *bytes, *why = NULL;

	if (s != NULL && r->f->kind == KIND_KILOBYTES) {
		bytes = kilobytes(s);
		free(s);
		s = bytes;
	} else if (s != NULL && r->f->kind == KIND_LIMIT &&
	    strcmp(s, "-1") == 0) {
		free(s);
		s = xstrdup("0");
	}
	if (s == NULL)
		error(r, xasprintf("%s must be a number", r->name));
	else if (app_set(&r->a->app, r->f->setting, s, &why) == -1)
		error(r, why);
	else
		mapped(r, s);
	free(s);
}

static void
read_webhooks(struct reading *r)
{
	bool empty = true;
	struct json first;
	size_t pos = 0;

	if (r->v.kind == JSON_ARRAY)
		empty = !json_next(r->v, &pos, &first);
	else if (r->v.kind == JSON_STRING)
		empty = str_eq(r->v.raw, S("\"[]\"")) || r->v.raw.n <= 2;
	else
		empty = false;
	ignored(r, empty ? "there are none" : "webhooks are not imported yet");
}

static void
read_value(struct reading *r)
{
	if (r->v.kind == JSON_NULL && r->f->kind != KIND_CREDENTIAL) {
		ignored(r, "null: our default stays");
		return;
	}
	switch (r->f->kind) {
	case KIND_CREDENTIAL:
		read_credential(r);
		break;
	case KIND_NAME:
		read_name(r);
		break;
	case KIND_ENABLED:
	case KIND_BOOL:
		read_bool(r);
		break;
	case KIND_LIMIT:
	case KIND_NUMBER:
	case KIND_KILOBYTES:
		read_number(r);
		break;
	case KIND_SIGNIN:
		ignored(r, "users may always sign in here");
		break;
	case KIND_WEBHOOKS:
		read_webhooks(r);
		break;
	}
}

/* The field with this spelling, or NULL. */
static const struct field *
find_field(const char *name)
{
	const struct field *f;
	size_t i;

	for (i = 0; i < nitems(fields); i++) {
		f = &fields[i];
		if (f->other != NULL && strcmp(f->other, name) == 0)
			return f;
		if (str_eq_nocase(str_make(name, 1), str_make(f->name, 1)) &&
		    strcmp(name + 1, f->name + 1) == 0)
			return f;
	}
	return NULL;
}

static void
read_member(struct import *im, struct import_app *a, const char *name,
    struct json v, bool *seen)
{
	struct reading r = { .im = im, .a = a, .name = name, .v = v };

	r.f = find_field(name);
	r.shown = value_text(v);
	if (r.f == NULL) {
		ignored(&r, "no such field in soketi, or not used by it");
	} else if (seen[r.f - fields]) {
		error(&r, xasprintf("%s is there twice", r.f->name));
	} else {
		seen[r.f - fields] = true;
		read_value(&r);
	}
	free(r.shown);
}

static void
missing(struct import *im, struct import_app *a, const bool *seen)
{
	size_t i;

	for (i = 0; i < nitems(fields); i++) {
		if (seen[i])
			continue;
		if (fields[i].kind == KIND_CREDENTIAL) {
			im->nerrors++;
			import_add_note(a, IMPORT_ERROR, fields[i].name, "",
			    xasprintf("%s is missing", fields[i].name));
		} else if (strcmp(fields[i].name, "maxClientEventsPerSecond") ==
		    0) {
			import_add_note(a, IMPORT_DEFAULT, fields[i].name, "",
			    xasprintf("%s=%" PRIu32 " (soketi: no limit)",
				fields[i].setting,
				a->app.max_client_events_per_second));
		}
	}
	if (a->app.name == NULL)
		a->app.name = xstrdup("");
}

/* ---- apps ---- */

static void
read_app(struct import *im, struct json obj)
{
	struct import_app *a;
	bool seen[nitems(fields)] = { false };
	struct json key, v;
	char *name;
	size_t pos = 0;

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
	while (json_next_member(obj, &pos, &key, &v)) {
		name = scalar(key);
		if (name == NULL)
			name = str_dup(key.raw);
		read_member(im, a, name, v, seen);
		free(name);
	}
	missing(im, a, seen);
}

/* The array of apps in what was given; JSON_NONE when there is none. */
static struct json
find_apps(struct json v)
{
	struct json apps;

	if (v.kind != JSON_OBJECT)
		return v;
	apps = json_get(v, S("appManager.array.apps"));
	if (apps.kind == JSON_NONE)
		apps =
		    json_get(json_get(json_get(v, S("appManager")), S("array")),
			S("apps"));
	if (apps.kind == JSON_NONE)
		apps = json_get(v, S("apps"));
	return apps;
}

int
import_soketi(struct str text, struct import *im, char **why)
{
	struct json v, app;
	const char *err;
	size_t pos = 0;

	*im = (struct import){ .apps = NULL };
	if (json_parse(text, &v, &err) == -1) {
		*why = xasprintf("not JSON: %s", err);
		return -1;
	}
	v = find_apps(v);
	if (v.kind != JSON_ARRAY) {
		*why = xstrdup("no array of apps: wanted [{\"id\":…,\"key\":…,"
			       "\"secret\":…},…] or a soketi configuration "
			       "file with appManager.array.apps");
		return -1;
	}
	while (json_next(v, &pos, &app)) {
		if (im->napps == MAX_APPS) {
			*why = xasprintf("more than %d apps", MAX_APPS);
			import_clear(im);
			return -1;
		}
		read_app(im, app);
	}
	import_check_twins(im);
	return 0;
}
