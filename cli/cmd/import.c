/* SPDX-License-Identifier: MIT */
/*
 * import.c: `pusherctl app import`.  Reports for every field of every app how
 * it is handled, and writes all apps in one transaction or none: an error in
 * one app, or an id that exists, ends it before anything is written.  Webhooks
 * are added to those of the app; equal ones are not added twice.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cmd/app.h"
#include "cli/cmd/cmd.h"
#include "cli/cmd/webhook.h"
#include "cli/import/diff.h"
#include "cli/import/import.h"
#include "shared/app/appdb_hooks.h"
#include "shared/base/base.h"
#include "shared/base/buf.h"

#define FILE_MAX (16u << 20)

static const char *const result_names[] = { [IMPORT_MAPPED] = "mapped",
	[IMPORT_IGNORED] = "ignored",
	[IMPORT_DEFAULT] = "default",
	[IMPORT_ERROR] = "error" };

static void
put_notes(struct out *o, const struct import *im)
{
	const struct import_app *a;
	const struct import_note *n;
	size_t i, k;
	char number[32];

	out_table_open(o, "fields", "app field value result note");
	for (i = 0; i < im->napps; i++) {
		a = &im->apps[i];
		snprintf(number, sizeof(number), "number %zu", i + 1);
		for (k = 0; k < a->nnotes; k++) {
			n = &a->notes[k];
			out_row_open(o);
			out_text(
			    o, "app", a->app.id != NULL ? a->app.id : number);
			out_text(o, "field", n->field);
			out_text(o, "value", n->value);
			out_state(o, "result", result_names[n->result],
			    n->result != IMPORT_ERROR);
			out_text(o, "note", n->note);
			out_row_close(o);
		}
	}
	out_table_close(o);
}

/*
 * An app of the database with the id, or else with the key, of `a`: 1 and
 * *twin (app_clear() it), 0 none, -1 after a message.
 */
static int
find_twin(struct appdb *db, const struct app *a, struct app *twin, bool *by_id)
{
	const char *which[] = { a->id, a->key };
	size_t i;

	for (i = 0; i < nitems(which); i++) {
		switch (appdb_find_exact(db, which[i], twin)) {
		case 0:
			continue;
		case 1:
			break;
		default:
			cmd_fail("%s", appdb_error(db));
			return -1;
		}
		*by_id = strcmp(twin->id, a->id) == 0;
		if (*by_id || strcmp(twin->key, a->key) == 0)
			return 1;
		app_clear(twin);
	}
	return 0;
}

/* ---- webhooks ---- */

struct search {
	const struct webhook *wanted;
	bool found;
};

static int
compare_hook(void *arg, const struct webhook *h)
{
	struct search *s = arg;

	s->found = import_is_same_hook(h, s->wanted);
	return s->found;
}

/* Does the app num have an equal one?  1, 0, or -1 after a message. */
static int
has_hook(struct appdb *db, uint32_t num, const struct webhook *h)
{
	struct search s = { .wanted = h };

	if (appdb_hooks_each(db, num, compare_hook, &s) == 0)
		return s.found;
	cmd_fail("%s", appdb_error(db));
	return -1;
}

static int
store_hooks(
    const struct cmd *c, struct appdb *db, struct import_app *a, bool is_new)
{
	struct webhook *h;
	int has;

	for (size_t i = 0; i < a->nhooks; i++) {
		h = &a->hooks[i];
		has = is_new ? 0 : has_hook(db, a->app.num, h);
		if (has == -1)
			return CMD_FAILED;
		if (has == 1)
			continue;
		h->app = a->app.num;
		if (appdb_hooks_insert(db, h) == -1)
			return cmd_fail(
			    "app %s: %s", a->app.id, appdb_error(db));
		cmd_webhook_warn(c, h, a->app.webhook_allow_private);
	}
	return CMD_OK;
}

/* Writes one app, or only reports obstacles (write false). */
static int
store_app(
    const struct cmd *c, struct appdb *db, struct import_app *of, bool write)
{
	struct app *a = &of->app;
	bool by_id = false;
	struct app twin = { .num = 0 };
	int found = find_twin(db, a, &twin, &by_id), r = 0;

	if (found == -1)
		return CMD_FAILED;
	if (found == 1) {
		a->num = twin.num;
		app_clear(&twin);
	}
	if (found == 1 && !by_id)
		return cmd_fail("app %s: another app has its key", a->id);
	if (found == 1 && !cmd_has(c, "replace"))
		return cmd_fail("app %s exists: remove it from the file, or "
				"give --replace",
		    a->id);
	if (!write)
		return CMD_OK;
	r = found == 1 ? appdb_update(db, a) : appdb_insert(db, a);
	if (r == -1)
		return cmd_fail("app %s: %s", a->id, appdb_error(db));
	return store_hooks(c, db, of, found == 0);
}

/* ---- what it would change ---- */

struct changes {
	struct out *out;
	const char *app;
};

/* setting, from and to may be NULL. */
static void
put_row(struct changes *ch, const char *change, const char *setting,
    const char *from, const char *to)
{
	out_row_open(ch->out);
	out_text(ch->out, "app", ch->app);
	out_text(ch->out, "change", change);
	out_text(ch->out, "setting", setting);
	out_text(ch->out, "from", from);
	out_text(ch->out, "to", to);
	out_row_close(ch->out);
}

static void
put_change(void *arg, const char *setting, const char *from, const char *to)
{
	put_row(arg, "changed", setting, from, to == NULL ? "changed" : to);
}

static void
put_app(struct changes *ch, const char *what)
{
	put_row(ch, what, NULL, NULL, NULL);
}

/* The webhooks that would be new; *n: how many. */
static int
compare_hooks(struct changes *ch, struct appdb *db, uint32_t num,
    const struct import_app *a, unsigned *n)
{
	int has;

	for (size_t i = 0; i < a->nhooks; i++) {
		has = num == 0 ? 0 : has_hook(db, num, &a->hooks[i]);
		if (has == -1)
			return CMD_FAILED;
		if (has == 1)
			continue;
		put_row(ch, "new", "webhook", NULL, a->hooks[i].url);
		++*n;
	}
	return CMD_OK;
}

/* Compares one app with the database; db NULL: there is none. */
static int
compare_app(struct changes *ch, struct appdb *db, const struct import_app *a)
{
	struct app twin = { .num = 0 };
	bool by_id = false;
	int found = db == NULL ? 0 : find_twin(db, &a->app, &twin, &by_id);
	unsigned n = 0;
	int r = CMD_OK;

	ch->app = a->app.id;
	if (found == -1)
		return CMD_FAILED;
	if (found == 0)
		put_app(ch, "new");
	else if (by_id)
		n = import_diff(&twin, &a->app, put_change, ch);
	else
		put_app(ch, "conflict");
	if (found == 0 || by_id)
		r = compare_hooks(ch, db, twin.num, a, &n);
	if (found == 1 && by_id && r == CMD_OK && n == 0)
		put_app(ch, "unchanged");
	app_clear(&twin);
	return r;
}

static int
put_changes(struct out *o, struct appdb *db, const struct import *im)
{
	struct changes ch = { .out = o };
	int r = CMD_OK;
	size_t i;

	out_table_open(o, "changes", "app change setting from to");
	for (i = 0; r == CMD_OK && i < im->napps; i++)
		r = compare_app(&ch, db, &im->apps[i]);
	out_table_close(o);
	return r;
}

/* Goes over all apps, so that everything in the way is said at once. */
static int
store_apps(const struct cmd *c, struct appdb *db, struct import *im, bool write)
{
	int r = CMD_OK;
	size_t i;

	for (i = 0; i < im->napps; i++)
		if (store_app(c, db, &im->apps[i], write) != CMD_OK)
			r = CMD_FAILED;
	return r;
}

/*
 * For --dry-run: reads a database if there is one, and reports how the apps
 * differ from those in it.
 */
static int
check_only(const struct cmd *c, struct import *im)
{
	struct appdb *db;
	int r;

	if (access(c->conf->database, F_OK) == -1 && errno == ENOENT)
		return put_changes(c->out, NULL, im);
	db = cmd_open_db(c, APPDB_READ);
	if (db == NULL)
		return CMD_FAILED;
	r = put_changes(c->out, db, im);
	if (r == CMD_OK)
		r = store_apps(c, db, im, false);
	appdb_close(db);
	return r;
}

static int
write_all(const struct cmd *c, struct import *im)
{
	struct appdb *db = cmd_app_open_db(c);
	int r;

	if (db == NULL)
		return CMD_FAILED;
	if (appdb_begin(db) == -1) {
		r = cmd_fail("%s", appdb_error(db));
		appdb_close(db);
		return r;
	}
	r = store_apps(c, db, im, true);
	if (r == CMD_OK && appdb_commit(db) == -1)
		r = cmd_fail("%s", appdb_error(db));
	if (r != CMD_OK)
		appdb_rollback(db);
	appdb_close(db);
	return r;
}

static int
import(struct cmd *c, struct import *im)
{
	bool dry = cmd_has(c, "dry-run"), written;
	int r;

	out_group_open(c->out);
	put_notes(c->out, im);
	if (im->nerrors > 0)
		r = cmd_fail("%zu error%s in the file", im->nerrors,
		    im->nerrors == 1 ? "" : "s");
	else
		r = dry ? check_only(c, im) : write_all(c, im);
	written = r == CMD_OK && !dry;
	out_record_open(c->out, "result");
	out_num(c->out, "apps", im->napps);
	out_bool(c->out, "written", written);
	out_record_close(c->out);
	out_group_close(c->out);
	if (r != CMD_OK)
		cmd_note("nothing was written");
	return written ? cmd_tell_apps_changed(c) : r;
}

static const struct {
	const char *name;
	int (*read)(struct str text, struct import *, char **why);
} sources[] = {
	{ "pusherd", import_pusherd },
	{ "soketi", import_soketi },
	{ "sockudo", import_sockudo },
	{ "reverb", import_reverb },
};

int
cmd_app_import(struct cmd *c)
{
	const char *from = cmd_value(c, "from");
	struct import im;
	struct buf *b;
	char *why = NULL;
	size_t i = 0;
	int r;

	if (from == NULL)
		return cmd_usage(c,
		    "--from is missing: --from pusherd, soketi, sockudo or "
		    "reverb");
	while (i < nitems(sources) && strcmp(from, sources[i].name) != 0)
		i++;
	if (i == nitems(sources))
		return cmd_usage(c,
		    "cannot import from \"%s\", only from pusherd, soketi, "
		    "sockudo and reverb",
		    from);
	b = cmd_read_file(c->args[0], FILE_MAX);
	if (b == NULL)
		return CMD_FAILED;
	if (sources[i].read(str_skip_bom(buf_str(b)), &im, &why) == -1) {
		r = cmd_fail("%s: %s", c->args[0], why);
		free(why);
	} else {
		r = import(c, &im);
		import_clear(&im);
	}
	cmd_wipe(b);
	return r;
}
