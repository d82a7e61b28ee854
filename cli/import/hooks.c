/* SPDX-License-Identifier: MIT */
/*
 * hooks.c: the webhooks of an app of soketi, Sockudo or pusherd.  An endpoint
 * with features that pusherd lacks (AWS Lambda, an unknown filter, no known
 * event) is omitted, and a note says so: it must never get more than it got
 * before.  Values of headers may be secrets and must never be shown.
 */

#include "cli/import/json.h"
#include "cli/import/value.h"

#include <stdlib.h>

#include "shared/base/base.h"
#include "shared/base/buf.h"
#include "shared/base/xmalloc.h"
#include "shared/json/json_slice.h"
#include "shared/pusher/webhook.h"

/* The endpoint that is being read. */
struct reading {
	struct import *im;
	struct import_app *a;
	struct webhook h;
	char *where; /* "webhooks[0]" */
	bool left_out;
};

static void
note(struct reading *r, enum import_result result, const char *member,
    const char *value, char *text)
{
	char *field =
	    xasprintf("%s%s%s", r->where, *member == '\0' ? "" : ".", member);

	if (result == IMPORT_ERROR)
		r->im->nerrors++;
	import_add_note(r->a, result, field, value, text);
	free(field);
}

static void
leave_out(
    struct reading *r, const char *member, const char *value, const char *why)
{
	r->left_out = true;
	note(r, IMPORT_IGNORED, member, value,
	    xasprintf("%s: the webhook is omitted", why));
}

static void
set(struct reading *r, const char *member, const char *option, struct json v)
{
	char *s = import_scalar(v), *why = NULL;

	if (s == NULL)
		note(r, IMPORT_ERROR, member, "",
		    xasprintf("%s must be a text", member));
	else if (webhook_set(&r->h, option, s, &why) == -1)
		note(r, IMPORT_ERROR, member, s, why);
	free(s);
}

/* Unknown names are omitted: servers of this kind send no such events. */
static void
read_events(struct reading *r, const char *member, struct json v)
{
	struct buf *list = NULL;
	struct json e;
	size_t pos = 0;
	char *s, *why = NULL;

	if (v.kind != JSON_ARRAY) {
		note(r, IMPORT_ERROR, member, "",
		    xasprintf("%s must be a list of names", member));
		return;
	}
	while (json_next(v, &pos, &e)) {
		s = import_scalar(e);
		if (s != NULL && webhook_set(&r->h, "events", s, &why) == 0 &&
		    *r->h.events != '\0')
			buf_printf(&list, "%s%s", list == NULL ? "" : " ", s);
		else
			note(r, IMPORT_IGNORED, member, s == NULL ? "" : s,
			    xstrdup("pusherd has no such event"));
		free(why);
		why = NULL;
		free(s);
	}
	if (list == NULL) {
		leave_out(r, member, "[]", "it asks for no event");
		return;
	}
	buf_putc(&list, '\0');
	if (webhook_set(&r->h, "events", list->data, &why) == -1)
		note(r, IMPORT_ERROR, member, list->data, why);
	buf_unref(list);
}

static void
read_header(
    struct reading *r, const char *member, const char *name, struct json v)
{
	char *value = import_scalar(v), *line, *why = NULL;

	line = xasprintf("%s: %s", name, value == NULL ? "" : value);
	if (webhook_add_header(&r->h, line, &why) == -1)
		note(r, IMPORT_IGNORED, member, name, why);
	explicit_bzero(line, strlen(line));
	free(line);
	free(value);
}

/* The members of an endpoint and of its filter. */
static const struct {
	const char *name;
	const char *option; /* the name in pusherd, or NULL: see why */
	const char *why;
} known[] = {
	{ "url", "url", NULL },
	{ "channel_name_starts_with", "channel-prefix", NULL },
	{ "channel_prefix", "channel-prefix", NULL },
	{ "channel_name_ends_with", "channel-suffix", NULL },
	{ "channel_suffix", "channel-suffix", NULL },
	{ "channel_glob", "channel-glob", NULL },
	{ "batch", "batch", NULL },
	{ "enabled", "enabled", NULL },
	{ "channel_pattern", NULL,
	    "pusherd has no such pattern (webhook add --channel-glob)" },
	{ "channel_namespace", NULL,
	    "pusherd has no namespaces (webhook add --channel-prefix)" },
	{ "channel_namespaces", NULL,
	    "pusherd has no namespaces (webhook add --channel-prefix)" },
	{ "lambda", NULL, "pusherd does not call AWS Lambda" },
	{ "lambda_function", NULL, "pusherd does not call AWS Lambda" },
};

static void read_members(struct reading *, const char *of, struct json obj);

static void
read_member(struct reading *r, const char *of, const char *name, struct json v)
{
	char *shown;
	size_t i = 0;

	if (v.kind == JSON_NULL)
		return;
	if (strcmp(of, "headers") == 0) {
		read_header(r, of, name, v);
		return;
	}
	if (strcmp(name, "event_types") == 0) {
		read_events(r, name, v);
		return;
	}
	if (*of == '\0' &&
	    (strcmp(name, "filter") == 0 || strcmp(name, "headers") == 0)) {
		if (v.kind == JSON_OBJECT)
			read_members(r, name, v);
		else
			note(r, IMPORT_ERROR, name, "",
			    xasprintf("%s must be an object", name));
		return;
	}
	while (i < nitems(known) && strcmp(known[i].name, name) != 0)
		i++;
	if (i < nitems(known) && known[i].option != NULL) {
		set(r, name, known[i].option, v);
		return;
	}
	shown = import_value_text(v);
	if (i < nitems(known))
		leave_out(r, name, shown, known[i].why);
	else if (strcmp(of, "filter") == 0)
		leave_out(r, name, shown, "pusherd has no such filter");
	else
		note(r, IMPORT_IGNORED, name, shown,
		    xstrdup("pusherd has no counterpart"));
	free(shown);
}

static void
read_members(struct reading *r, const char *of, struct json obj)
{
	struct json key, v;
	size_t pos = 0;
	char *name;

	while (json_next_member(obj, &pos, &key, &v)) {
		name = import_scalar(key);
		if (name == NULL)
			name = str_dup(key.raw);
		read_member(r, of, name, v);
		free(name);
	}
}

/* "webhook=URL events=… channel-prefix=… headers=Name,Name" */
static char *
describe(const struct webhook *h)
{
	struct str rest = str_of(h->headers), line;
	struct buf *b = NULL;
	bool first = true;
	char *text;

	buf_printf(&b, "webhook=%s events=", h->url);
	for (const char *p = *h->events == '\0' ? "all" : h->events; *p; p++)
		buf_putc(&b, *p == ' ' ? ',' : *p);
	if (*h->prefix != '\0')
		buf_printf(&b, " channel-prefix=%s", h->prefix);
	if (*h->suffix != '\0')
		buf_printf(&b, " channel-suffix=%s", h->suffix);
	if (*h->glob != '\0')
		buf_printf(&b, " channel-glob=%s", h->glob);
	while (rest.p != NULL) {
		line = str_cut(&rest, '\n');
		if (line.n == 0)
			continue;
		line.n = (size_t)str_find(line, ':');
		buf_printf(
		    &b, "%s%.*s", first ? " headers=" : ",", STR_ARG(line));
		first = false;
	}
	text = str_dup(buf_str(b));
	buf_unref(b);
	return text;
}

/* Takes the endpoint, or notes the reason why not. */
static void
take(struct reading *r, size_t nerrors)
{
	if (r->left_out || r->im->nerrors > nerrors)
		return;
	if (*r->h.url == '\0') {
		note(r, IMPORT_ERROR, "", "", xstrdup("url is missing"));
		return;
	}
	if (hook_set_has(&r->a->taken, &r->h)) {
		note(r, IMPORT_IGNORED, "", r->h.url,
		    xstrdup("the app has the same one already"));
		return;
	}
	note(r, IMPORT_MAPPED, "", r->h.url, describe(&r->h));
	r->a->hooks =
	    xreallocarray(r->a->hooks, r->a->nhooks + 1, sizeof(*r->a->hooks));
	hook_set_add(&r->a->taken, &r->h);
	r->a->hooks[r->a->nhooks++] = r->h;
	webhook_init(&r->h);
}

static void
read_list(
    struct import *im, struct import_app *a, const char *name, struct json list)
{
	struct reading r;
	struct json v;
	size_t pos = 0, i = 0, before;

	while (json_next(list, &pos, &v)) {
		before = im->nerrors;
		r = (struct reading){ .im = im,
			.a = a,
			.where = xasprintf("%s[%zu]", name, i++) };
		webhook_init(&r.h);
		if (v.kind == JSON_OBJECT)
			read_members(&r, "", v);
		else
			note(&r, IMPORT_ERROR, "", "",
			    xstrdup("must be an object with url"));
		take(&r, before);
		webhook_clear(&r.h);
		free(r.where);
	}
	if (i == 0)
		import_add_note(
		    a, IMPORT_IGNORED, name, "[]", xstrdup("there are none"));
}

void
import_hooks(
    struct import *im, struct import_app *a, const char *name, struct json v)
{
	char *text = import_scalar(v);
	const char *err;

	/* A column of a table, or a variable: JSON once more, inside a text. */
	if (text != NULL &&
	    json_parse(str_of(*text == '\0' ? "[]" : text), &v, &err) == -1)
		v.kind = JSON_NONE;
	if (v.kind == JSON_ARRAY) {
		read_list(im, a, name, v);
	} else {
		im->nerrors++;
		import_add_note(a, IMPORT_ERROR, name, "",
		    xasprintf("%s must be a list of objects with url", name));
	}
	free(text);
}
