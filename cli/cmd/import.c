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

static int
add_hook(void *arg, const struct webhook *h)
{
	hook_set_add(arg, h);
	return 0;
}

/* All webhooks of the database; hook_set_clear() them in any case. */
static int
read_hooks(struct appdb *db, struct hook_set *has)
{
	if (appdb_hooks_each(db, 0, add_hook, has) == 0)
		return CMD_OK;
	return cmd_fail("%s", appdb_error(db));
}

/* Where the apps go. */
struct target {
	const struct cmd *c;
	struct appdb *db;
	struct hook_set has; /* the webhooks in it */
};

static int
store_hooks(const struct target *t, struct import_app *a)
{
	struct webhook *h;

	for (size_t i = 0; i < a->nhooks; i++) {
		h = &a->hooks[i];
		h->app = a->app.num;
		if (hook_set_has(&t->has, h))
			continue;
		if (appdb_hooks_insert(t->db, h) == -1)
			return cmd_fail(
			    "app %s: %s", a->app.id, appdb_error(t->db));
		cmd_webhook_warn(t->c, h, a->app.webhook_allow_private);
	}
	return CMD_OK;
}

/* Writes one app, or only reports obstacles (write false). */
static int
store_app(const struct target *t, struct import_app *of, bool write)
{
	struct appdb *db = t->db;
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
	if (found == 1 && !cmd_has(t->c, "replace"))
		return cmd_fail("app %s exists: remove it from the file, or "
				"give --replace",
		    a->id);
	if (!write)
		return CMD_OK;
	r = found == 1 ? appdb_update(db, a) : appdb_insert(db, a);
	if (r == -1)
		return cmd_fail("app %s: %s", a->id, appdb_error(db));
	return store_hooks(t, of);
}

/* ---- what it would change ---- */

struct changes {
	struct out *out;
	const char *app;
	struct hook_set has; /* the webhooks in the database */
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

/* The webhooks that would be new, and how many there are. */
static unsigned
compare_hooks(struct changes *ch, uint32_t num, const struct import_app *a)
{
	unsigned n = 0;

	for (size_t i = 0; i < a->nhooks; i++) {
		struct webhook *h = &a->hooks[i];

		h->app = num;
		if (hook_set_has(&ch->has, h))
			continue;
		put_row(ch, "new", "webhook", NULL, h->url);
		n++;
	}
	return n;
}

/* Compares one app with the database; db NULL: there is none. */
static int
compare_app(struct changes *ch, struct appdb *db, const struct import_app *a)
{
	struct app twin = { .num = 0 };
	bool by_id = false;
	int found = db == NULL ? 0 : find_twin(db, &a->app, &twin, &by_id);
	unsigned n = 0;

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
		n += compare_hooks(ch, twin.num, a);
	if (found == 1 && by_id && n == 0)
		put_app(ch, "unchanged");
	app_clear(&twin);
	return CMD_OK;
}

static int
put_changes(struct out *o, struct appdb *db, const struct import *im)
{
	struct changes ch = { .out = o };
	int r = CMD_OK;
	size_t i;

	if (db != NULL)
		r = read_hooks(db, &ch.has);
	out_table_open(o, "changes", "app change setting from to");
	for (i = 0; r == CMD_OK && i < im->napps; i++)
		r = compare_app(&ch, db, &im->apps[i]);
	out_table_close(o);
	hook_set_clear(&ch.has);
	return r;
}

/* Goes over all apps, so that everything in the way is said at once. */
static int
store_apps(const struct cmd *c, struct appdb *db, struct import *im, bool write)
{
	struct target t = { .c = c, .db = db };
	int r = write ? read_hooks(db, &t.has) : CMD_OK;
	size_t i;

	for (i = 0; i < im->napps; i++)
		if (store_app(&t, &im->apps[i], write) != CMD_OK)
			r = CMD_FAILED;
	hook_set_clear(&t.has);
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
