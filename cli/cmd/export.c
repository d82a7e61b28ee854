/* SPDX-License-Identifier: MIT */
/*
 * export.c: `pusherctl app export`: apps with their secrets, settings and
 * webhooks as the JSON that `app import --from pusherd` reads, here or on
 * another host.  Settings with default values are included, so that another
 * version with other defaults changes nothing.
 */

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/cmd/app.h"
#include "cli/cmd/cmd.h"
#include "shared/app/appdb_hooks.h"
#include "shared/json/json_write.h"
#include "shared/pusher/webhook.h"

struct export
{
	struct appdb *db;
	struct json_writer w;
	const char *only; /* the id of the one app, or NULL */
	bool whole;       /* with keys that end */
};

static void
put_text(struct json_writer *w, const char *key, const char *text)
{
	json_member_str(w, key, str_of(text));
}

/* A filter that is not set is left out. */
static void
put_filter(struct json_writer *w, const char *key, const char *text)
{
	if (*text != '\0')
		put_text(w, key, text);
}

static void
put_events(struct json_writer *w, const char *events)
{
	struct str rest = str_of(events);

	if (rest.n == 0)
		return; /* all */
	json_key(w, "event_types");
	json_array_open(w);
	while (rest.p != NULL)
		json_put_str(w, str_cut(&rest, ' '));
	json_array_close(w);
}

static void
put_headers(struct json_writer *w, const char *headers)
{
	struct str rest = str_of(headers), line;

	if (rest.n == 0)
		return;
	json_key(w, "headers");
	json_object_open(w);
	while (rest.p != NULL) {
		line = str_cut(&rest, '\n');
		if (line.n == 0)
			continue;
		json_key_str(w, str_cut(&line, ':'));
		json_put_str(w, str_trim(line));
	}
	json_object_close(w);
}

static int
put_hook(void *arg, const struct webhook *h)
{
	struct json_writer *w = arg;

	json_object_open(w);
	put_text(w, "url", h->url);
	put_events(w, h->events);
	put_filter(w, "channel_prefix", h->prefix);
	put_filter(w, "channel_suffix", h->suffix);
	put_filter(w, "channel_glob", h->glob);
	put_headers(w, h->headers);
	put_text(w, "batch", h->batch ? "on" : "off");
	put_text(w, "enabled", h->enabled ? "on" : "off");
	json_object_close(w);
	return 0;
}

static void
put_settings(struct json_writer *w, const struct app *a)
{
#define PUT(field, put) \
	json_key(w, #field); \
	put;
#define APP_UINT(field, def, min, max, help) \
	PUT(field, json_put_u64(w, a->field))
#define APP_BOOL(field, def, help) PUT(field, json_put_bool(w, a->field != 0))
#define APP_TEXT(field, def, help) PUT(field, json_put_str(w, str_of(a->field)))
#include "shared/app/app_settings.def"
}

/* Stops with 1 after an error of the database. */
static int
put_app(void *arg, const struct app *a)
{
	struct export *e = arg;
	struct json_writer *w = &e->w;
	int r;

	if (e->only != NULL && strcmp(e->only, a->id) != 0)
		return 0;
	if (!e->whole && app_has_old_key(a, (uint64_t)time(NULL)))
		cmd_note(
		    "app %s: the key before its rotation is still valid here "
		    "and is not exported",
		    a->id);
	json_object_open(w);
	put_text(w, "id", a->id);
	put_text(w, "key", a->key);
	put_text(w, "secret", a->secret);
	put_text(w, "name", a->name);
	json_member_bool(w, "enabled", a->enabled != 0);
	put_settings(w, a);
	if (e->whole && a->old_key != NULL) {
		put_text(w, "old_key", a->old_key);
		put_text(w, "old_secret", a->old_secret);
		json_member_u64(w, "old_until", a->old_until);
	}
	json_key(w, "webhooks");
	json_array_open(w);
	r = appdb_hooks_each(e->db, a->num, put_hook, w);
	json_array_close(w);
	json_object_close(w);
	return r == -1;
}

struct buf *
cmd_app_records(struct appdb *db)
{
	struct export e = { .db = db, .whole = true };
	bool failed;
	struct buf *b;

	json_writer_init(&e.w);
	json_array_open(&e.w);
	failed = appdb_each(db, put_app, &e) != 0;
	json_array_close(&e.w);
	b = json_writer_take(&e.w);
	if (!failed)
		return b;
	cmd_fail("%s", appdb_error(db));
	cmd_wipe(b);
	return NULL;
}

int
cmd_app_export(struct cmd *c)
{
	struct export e = { .db = cmd_open_db(c, APPDB_READ) };
	struct app a = { .id = NULL };
	struct buf *b;
	int r = CMD_OK;

	if (e.db == NULL)
		return CMD_FAILED;
	if (c->nargs > 0)
		r = cmd_find_app(c, e.db, c->args[0], &a);
	e.only = a.id;
	json_writer_init(&e.w);
	json_array_open(&e.w);
	if (r == CMD_OK && appdb_each(e.db, put_app, &e) != 0)
		r = cmd_fail("%s", appdb_error(e.db));
	json_array_close(&e.w);
	b = json_writer_take(&e.w);
	if (r == CMD_OK)
		out_json_document(c->out, buf_str(b));
	cmd_wipe(b);
	appdb_close(e.db);
	app_clear(&a);
	return r;
}
