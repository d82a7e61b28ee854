/* SPDX-License-Identifier: MIT */
/*
 * cluster_apps.c: a process that writes into the database of this host what
 * other hosts have done to apps.  The broker, which must not write, requests
 * it, and gives it the records.  An app that the cluster has counts as it is
 * there; one that only this host has is given to the cluster.  Must never log a
 * record: it has secrets.
 */

#include "cli/cmd/cluster_apps.h"

#include <stdlib.h>
#include <string.h>

#include "cli/cmd/app.h"
#include "cli/cmd/cmd.h"
#include "cli/import/import.h"
#include "shared/app/appdb_hooks.h"
#include "shared/base/buf.h"
#include "shared/base/log.h"
#include "shared/base/xmalloc.h"

struct record {
	char *id;
	struct buf *text; /* JSON; without bytes: the app is deleted */
};

/* An app of the database. */
struct own {
	char *id;
	struct str text;
};

struct sync {
	struct cmd cmd;
	struct appdb *db;
	uint64_t version;
	bool whole; /* the records are all that the cluster has */
	struct record *v;
	size_t n;
	struct buf *text; /* the apps as they are here */
	struct own *own;
	size_t nown;
	unsigned nchanged;
};

/* ---- the records ---- */

static void
on_row(void *arg, struct json row)
{
	struct sync *s = arg;
	struct json record = json_get(row, S("record"));
	struct str text;
	char *tmp = NULL;

	if (json_get(row, S("id")).kind != JSON_STRING) {
		json_u64(json_get(row, S("version")), UINT64_MAX, &s->version);
		s->whole = json_get(row, S("whole")).kind == JSON_TRUE;
		return;
	}
	if (record.kind != JSON_STRING ||
	    json_string(record, &text, &tmp) == -1)
		return;
	s->v = xreallocarray(s->v, s->n + 1, sizeof(*s->v));
	s->v[s->n++] = (struct record){ .id = json_dup(json_get(row, S("id"))),
		.text = buf_from(text) };
	if (tmp != NULL)
		explicit_bzero(tmp, text.n);
	free(tmp);
}

static void
clear(struct sync *s)
{
	for (size_t i = 0; i < s->n; i++) {
		free(s->v[i].id);
		cmd_wipe(s->v[i].text);
	}
	free(s->v);
	for (size_t i = 0; i < s->nown; i++)
		free(s->own[i].id);
	free(s->own);
	cmd_wipe(s->text);
	appdb_close(s->db);
}

static int
failed(const struct sync *s, const char *id)
{
	log_warnx("cluster: app %s cannot be written here: %s", id,
	    appdb_error(s->db));
	return -1;
}

/* ---- writing ---- */

struct keeping {
	struct import_app *of;
	bool *used; /* by number of of->hooks */
	uint32_t *gone;
	size_t ngone;
};

/* A row stays if the record has the same webhook. */
static int
match_hook(void *arg, const struct webhook *row)
{
	struct keeping *k = arg;

	for (size_t i = 0; i < k->of->nhooks; i++) {
		struct webhook *h = &k->of->hooks[i];

		if (k->used[i] || !import_is_same_hook(row, h))
			continue;
		k->used[i] = true;
		h->num = row->num;
		h->app = row->app;
		return 0;
	}
	k->gone = xreallocarray(k->gone, k->ngone + 1, sizeof(*k->gone));
	k->gone[k->ngone++] = row->num;
	return 0;
}

static int
write_hooks(struct sync *s, struct import_app *of)
{
	struct keeping k = { .of = of,
		.used = xcalloc(of->nhooks + 1, sizeof(bool)) };
	int r = appdb_hooks_each(s->db, of->app.num, match_hook, &k);

	for (size_t i = 0; r == 0 && i < k.ngone; i++)
		r = appdb_hooks_delete(s->db, k.gone[i]);
	for (size_t i = 0; r == 0 && i < of->nhooks; i++) {
		of->hooks[i].app = of->app.num;
		r = k.used[i] ? appdb_hooks_update(s->db, &of->hooks[i])
			      : appdb_hooks_insert(s->db, &of->hooks[i]);
	}
	free(k.used);
	free(k.gone);
	return r;
}

/* `app import` knows no keys that end. */
static void
set_old_key(struct app *a, struct json record)
{
	struct json until = json_get(record, S("old_until"));

	a->old_key = json_dup(json_get(record, S("old_key")));
	a->old_secret = json_dup(json_get(record, S("old_secret")));
	if (a->old_key == NULL || a->old_secret == NULL ||
	    json_u64(until, UINT64_MAX, &a->old_until) == -1)
		app_drop_old_key(a);
}

static int
write_app(struct sync *s, const char *id, struct import_app *of)
{
	struct app old;
	int found = appdb_find_exact(s->db, id, &old), r;

	if (found == -1)
		return -1;
	if (found == 1 && strcmp(old.id, id) != 0) {
		app_clear(&old); /* another app has it as its key */
		found = 0;
	}
	if (found == 1) {
		of->app.num = old.num;
		app_clear(&old);
		r = appdb_update(s->db, &of->app);
	} else {
		r = appdb_insert(s->db, &of->app);
	}
	return r == -1 ? -1 : write_hooks(s, of);
}

static int
delete_app(struct sync *s, const char *id)
{
	struct app old;
	int r = appdb_find_exact(s->db, id, &old);

	if (r != 1)
		return r;
	if (strcmp(old.id, id) == 0)
		r = appdb_delete(s->db, old.num);
	app_clear(&old);
	return r == -1 ? -1 : 0;
}

/* The record as it is, when it says something else than the database. */
static int
write_record(struct sync *s, const struct record *rec)
{
	struct import im;
	struct json json;
	const char *err = "";
	char *why = NULL;
	struct buf *list = NULL;
	int r;

	if (rec->text->len == 0)
		return delete_app(s, rec->id);
	if (json_parse(buf_str(rec->text), &json, &err) == 0)
		buf_printf(&list, "[%.*s]", STR_ARG(json.raw));
	r = list == NULL ? -1 : import_pusherd(buf_str(list), &im, &why);
	cmd_wipe(list);
	if (r == -1) {
		log_warnx("cluster: the record of app %s cannot be read: %s",
		    rec->id, why == NULL ? err : why);
		free(why);
		return 0;
	}
	if (im.napps != 1 || im.nerrors > 0 || im.apps[0].app.id == NULL ||
	    strcmp(im.apps[0].app.id, rec->id) != 0) {
		log_warnx(
		    "cluster: the record of app %s is not valid", rec->id);
		r = 0;
	} else {
		set_old_key(&im.apps[0].app, json);
		r = write_app(s, rec->id, &im.apps[0]);
	}
	import_clear(&im);
	return r;
}

/* The text of the app; empty: it is not here. */
static struct str
find_own(const struct sync *s, const char *id)
{
	for (size_t i = 0; i < s->nown; i++)
		if (strcmp(s->own[i].id, id) == 0)
			return s->own[i].text;
	return S("");
}

static int
read_own(struct sync *s)
{
	struct json all, app;
	const char *err;
	size_t at = 0;

	s->text = cmd_app_records(s->db);
	if (s->text == NULL || json_parse(buf_str(s->text), &all, &err) == -1)
		return -1;
	while (json_next(all, &at, &app)) {
		s->own = xreallocarray(s->own, s->nown + 1, sizeof(*s->own));
		s->own[s->nown].id = json_dup(json_get(app, S("id")));
		s->own[s->nown++].text = app.raw;
	}
	return 0;
}

static int
write_all(struct sync *s)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct record *rec = &s->v[i];

		if (str_eq(find_own(s, rec->id), buf_str(rec->text)))
			continue;
		if (write_record(s, rec) == -1)
			return failed(s, rec->id);
		s->nchanged++;
		log_info(
		    "cluster: app %s is now as on the other hosts", rec->id);
	}
	return 0;
}

static int
write_database(struct sync *s)
{
	s->db = cmd_open_db(&s->cmd, APPDB_CREATE);
	if (s->db == NULL || appdb_begin(s->db) == -1)
		return -1;
	if (read_own(s) == -1 || write_all(s) == -1) {
		appdb_rollback(s->db);
		return -1;
	}
	return appdb_commit(s->db) == -1 ? failed(s, "?") : 0;
}

/* ---- the cluster ---- */

static bool
has_record(const struct sync *s, const char *id)
{
	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->v[i].id, id) == 0)
			return true;
	return false;
}

/* Apps that only this host has. */
static int
give_own(struct sync *s)
{
	int r = CMD_OK;

	for (size_t i = 0; s->whole && r == CMD_OK && i < s->nown; i++)
		if (!has_record(s, s->own[i].id))
			r = cmd_ask(&s->cmd, "cluster-app",
			    cmd_args("id =record ?absent", s->own[i].id,
				s->own[i].text, 1),
			    NULL, NULL);
	return r;
}

int
cluster_apps_run(const struct conf *conf)
{
	struct sync s = { .cmd = { .conf = conf, .self = "pusherctl" } };
	int r;

	cmd_log_messages();
	r = cmd_ask(&s.cmd, "cluster-apps", NULL, on_row, &s);
	if (r == CMD_OK)
		r = write_database(&s) == -1 || give_own(&s) != 0;
	if (r == CMD_OK && s.nchanged > 0)
		r = cmd_tell_apps_changed(&s.cmd);
	if (r == CMD_OK)
		r = cmd_ask(&s.cmd, "cluster-apps-done",
		    cmd_args("#version", s.version), NULL, NULL);
	clear(&s);
	return r == CMD_OK ? 0 : 1;
}
