/* SPDX-License-Identifier: MIT */
/*
 * app.c: `pusherctl app list|show|set|enable|disable|delete`.
 * Every change is one transaction in the database, then the running daemon,
 * if there is one, is told; so all of this works without it.  Secrets
 * are masked unless --reveal asks for them.
 */

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/cmd/app.h"
#include "cli/cmd/cmd.h"
#include "shared/app/credential.h"
#include "shared/base/base.h"
#include "shared/base/xmalloc.h"

/* ---- printing ---- */

#define LIST_COLUMNS "id key secret name enabled"
#define OLD_COLUMNS " old_key old_key_seconds"

static const char all_columns[] = LIST_COLUMNS OLD_COLUMNS
#define APP_UINT(field, def, min, max, help) " " #field
#define APP_BOOL(field, def, help) " " #field
#define APP_TEXT(field, def, help) " " #field
#include "shared/app/app_settings.def"
    ;

/* The key before the last rotation, and how long it still counts. */
static void
put_old_key(struct out *o, const struct app *a)
{
	uint64_t now = (uint64_t)time(NULL);

	if (app_has_old_key(a, now)) {
		out_text(o, "old_key", a->old_key);
		out_seconds(o, "old_key_seconds", a->old_until - now);
	} else {
		out_null(o, "old_key");
		out_null(o, "old_key_seconds");
	}
}

static void
put_credentials(struct out *o, const struct app *a, bool reveal, bool old_key)
{
	char *mask = credential_mask(a->secret);

	out_text(o, "id", a->id);
	out_text(o, "key", a->key);
	out_text(o, "secret", reveal ? a->secret : mask);
	out_text(o, "name", a->name);
	out_bool(o, "enabled", a->enabled != 0);
	if (old_key)
		put_old_key(o, a);
	free(mask);
}

static void
put_settings(struct out *o, const struct app *a)
{
#define APP_UINT(field, def, min, max, help) out_num(o, #field, a->field);
#define APP_BOOL(field, def, help) out_switch(o, #field, a->field != 0);
#define APP_TEXT(field, def, help) out_text(o, #field, a->field);
#include "shared/app/app_settings.def"
}

void
cmd_app_put(struct out *o, const struct app *a, bool reveal, bool settings)
{
	out_record_open(o, NULL);
	put_credentials(o, a, reveal,
	    out_is_json(o) || app_has_old_key(a, (uint64_t)time(NULL)));
	if (settings || out_is_json(o))
		put_settings(o, a);
	out_record_close(o);
}

/* After a change: the app and the settings that were changed. */
static void
put_changed(const struct cmd *c, const struct app *a)
{
	const char *eq;
	char *option;
	size_t i;

	if (out_is_json(c->out)) {
		cmd_app_put(c->out, a, false, true);
		return;
	}
	out_record_open(c->out, NULL);
	out_text(c->out, "id", a->id);
	out_text(c->out, "name", a->name);
	out_bool(c->out, "enabled", a->enabled != 0);
	for (i = 1; i < c->nargs; i++) {
		eq = strchr(c->args[i], '=');
		option = xstrndup(c->args[i], (size_t)(eq - c->args[i]));
		if (strcmp(option, "name") != 0)
			out_text(c->out, option, eq + 1);
		free(option);
	}
	out_record_close(c->out);
}

/* ---- changes ---- */

int
cmd_app_assign(const struct cmd *c, struct app *a, const char *text)
{
	const char *eq = strchr(text, '='), *bad;
	char *option, *why = NULL;
	int r = CMD_OK;

	if (eq == NULL || eq == text)
		return cmd_usage(
		    c, "\"%s\" is not of the form option=value", text);
	option = xstrndup(text, (size_t)(eq - text));
	if (strcmp(option, "name") == 0) {
		bad = credential_check_label(str_of(eq + 1));
		if (bad == NULL) {
			free(a->name);
			a->name = xstrdup(eq + 1);
		} else {
			r = cmd_fail("the name %s", bad);
		}
	} else if (app_set(a, option, eq + 1, &why) == -1) {
		r = cmd_fail("%s", why);
	}
	free(why);
	free(option);
	return r;
}

/*
 * Finds the app that the first argument names, lets fn change it, writes it
 * back, tells the daemon.
 */
static int
change_app(struct cmd *c, int (*fn)(struct cmd *, struct app *))
{
	struct appdb *db = cmd_open_db(c, APPDB_WRITE);
	struct app a;
	int r;

	if (db == NULL)
		return CMD_FAILED;
	if (appdb_begin(db) == -1) {
		r = cmd_fail("%s", appdb_error(db));
		appdb_close(db);
		return r;
	}
	r = cmd_find_app(c, db, c->args[0], &a);
	if (r != CMD_OK) {
		appdb_rollback(db);
		appdb_close(db);
		return r;
	}
	r = fn(c, &a);
	if (r == CMD_OK &&
	    (appdb_update(db, &a) == -1 || appdb_commit(db) == -1))
		r = cmd_fail("%s", appdb_error(db));
	if (r != CMD_OK)
		appdb_rollback(db);
	appdb_close(db);
	if (r == CMD_OK) {
		put_changed(c, &a);
		r = cmd_tell_apps_changed(c);
	}
	app_clear(&a);
	return r;
}

static int
set_options(struct cmd *c, struct app *a)
{
	size_t i;
	int r = CMD_OK;

	for (i = 1; i < c->nargs && r == CMD_OK; i++)
		r = cmd_app_assign(c, a, c->args[i]);
	return r;
}

static int
set_enabled(struct cmd *c, struct app *a)
{
	a->enabled = 1;
	return CMD_OK;
}

static int
set_disabled(struct cmd *c, struct app *a)
{
	a->enabled = 0;
	return CMD_OK;
}

int
cmd_app_set(struct cmd *c)
{
	return change_app(c, set_options);
}

int
cmd_app_enable(struct cmd *c)
{
	return change_app(c, set_enabled);
}

int
cmd_app_disable(struct cmd *c)
{
	return change_app(c, set_disabled);
}

/* ---- list and show ---- */

struct listing {
	struct out *out;
	const char *scope;
	bool old_keys; /* some app has one, or the columns have to be there */
};

static int
look_for_old_key(void *arg, const struct app *a)
{
	struct listing *l = arg;

	l->old_keys = app_has_old_key(a, (uint64_t)time(NULL));
	return l->old_keys;
}

static int
put_row(void *arg, const struct app *a)
{
	const struct listing *l = arg;
	struct out *o = l->out;

	if (l->scope != NULL && strcmp(l->scope, a->id) != 0)
		return 0;
	out_row_open(o);
	put_credentials(o, a, false, l->old_keys);
	if (out_is_json(o))
		put_settings(o, a);
	out_row_close(o);
	return 0;
}

int
cmd_app_list(struct cmd *c)
{
	/* A pipe gets the same columns every time. */
	struct listing l = { .out = c->out,
		.scope = c->scope,
		.old_keys = !out_is_terminal(c->out) };
	struct appdb *db = cmd_open_db(c, APPDB_READ);
	int r = CMD_OK;

	if (db == NULL)
		return CMD_FAILED;
	if (!l.old_keys && appdb_each(db, look_for_old_key, &l) == -1)
		r = cmd_fail("%s", appdb_error(db));
	out_table_open(c->out, NULL,
	    out_is_json(c->out) ? all_columns
		: l.old_keys    ? LIST_COLUMNS OLD_COLUMNS
				: LIST_COLUMNS);
	if (r == CMD_OK && appdb_each(db, put_row, &l) == -1)
		r = cmd_fail("%s", appdb_error(db));
	if (r != CMD_OK)
		out_drop(c->out);
	out_table_close(c->out);
	appdb_close(db);
	return r;
}

int
cmd_app_show(struct cmd *c)
{
	struct app a;
	int r = cmd_read_app(c, c->args[0], &a);

	if (r != CMD_OK)
		return r;
	cmd_app_put(c->out, &a, cmd_has(c, "reveal"), true);
	app_clear(&a);
	return CMD_OK;
}

/* ---- delete ---- */

static int
confirm(const struct cmd *c, const struct app *a)
{
	char line[16];
	ssize_t n;

	if (cmd_has(c, "yes"))
		return CMD_OK;
	if (isatty(STDIN_FILENO) != 1)
		return cmd_usage(c,
		    "stdin is not a terminal, so nobody can confirm that app "
		    "%s "
		    "is deleted: add --yes",
		    a->id);
	fprintf(stderr,
	    "Delete app %s%s%s%s? Its clients are closed and its key and "
	    "secret are lost. [y/N] ",
	    a->id, *a->name == '\0' ? "" : " (", a->name,
	    *a->name == '\0' ? "" : ")");
	n = read(STDIN_FILENO, line, sizeof(line) - 1);
	line[n > 0 ? n : 0] = '\0';
	if (strcmp(line, "y\n") == 0 || strcmp(line, "yes\n") == 0)
		return CMD_OK;
	return cmd_fail("not deleted");
}

int
cmd_app_delete(struct cmd *c)
{
	struct appdb *db = cmd_open_db(c, APPDB_WRITE);
	struct app a;
	int r;

	if (db == NULL)
		return CMD_FAILED;
	r = cmd_find_app(c, db, c->args[0], &a);
	if (r != CMD_OK) {
		appdb_close(db);
		return r;
	}
	r = confirm(c, &a);
	/* By row number, which is never used again. */
	if (r == CMD_OK && appdb_delete(db, a.num) == -1)
		r = cmd_fail("%s", appdb_error(db));
	appdb_close(db);
	if (r == CMD_OK) {
		out_record_open(c->out, NULL);
		out_text(c->out, "deleted", a.id);
		out_record_close(c->out);
		r = cmd_tell_apps_changed(c);
	}
	app_clear(&a);
	return r;
}
