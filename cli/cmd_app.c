/* SPDX-License-Identifier: MIT */
/*
 * cmd_app.c: `pusherctl app create|list|show|set|enable|disable|delete`.
 * Every change is one transaction in the database, then the running daemon,
 * if there is one, is told; so all of this works without it.  Secrets come
 * from a file or from the system's random numbers, never from an argument,
 * and are shown on creation and with --reveal only.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "cli/cmd.h"
#include "cli/cmd_app.h"
#include "cli/credential.h"
#include "shared/base.h"
#include "shared/buf.h"
#include "shared/proc.h"
#include "shared/sign.h"
#include "shared/xmalloc.h"

#define SECRET_FILE_MAX 4096
#define ID_TRIES 100

/* ---- printing ---- */

static const char *const list_keys[] = { "id", "key", "secret", "name",
	"enabled" };
static const char *const all_keys[] = {
	"id",
	"key",
	"secret",
	"name",
	"enabled",
#define APP_UINT(field, def, min, max, help) #field,
#define APP_BOOL(field, def, help) #field,
#define APP_TEXT(field, def, help) #field,
#include "shared/app_settings.def"
#undef APP_UINT
#undef APP_BOOL
#undef APP_TEXT
};

static void
put_credentials(struct out *o, const struct app *a, bool reveal)
{
	char *mask = credential_mask(a->secret);

	out_text(o, "id", a->id);
	out_text(o, "key", a->key);
	out_text(o, "secret", reveal ? a->secret : mask);
	out_text(o, "name", a->name);
	out_bool(o, "enabled", a->enabled != 0);
	free(mask);
}

static void
put_settings(struct out *o, const struct app *a)
{
#define APP_UINT(field, def, min, max, help) out_num(o, #field, a->field);
#define APP_BOOL(field, def, help) out_bool(o, #field, a->field != 0);
#define APP_TEXT(field, def, help) out_text(o, #field, a->field);
#include "shared/app_settings.def"
#undef APP_UINT
#undef APP_BOOL
#undef APP_TEXT
}

/* JSON always has everything; people get what they asked for. */
static void
put_app(struct out *o, const struct app *a, bool reveal, bool settings)
{
	out_record_open(o, NULL);
	put_credentials(o, a, reveal);
	if (settings || out_is_json(o))
		put_settings(o, a);
	out_record_close(o);
}

/* ---- changes ---- */

struct appdb *
cmd_app_open_db(const struct cmd *c)
{
	const struct conf *conf = c->conf;
	bool is_new = access(conf->database, F_OK) == -1 && errno == ENOENT;
	struct appdb *db = cmd_open_db(c, APPDB_CREATE);
	uid_t uid;
	gid_t gid;

	if (db == NULL || !is_new || geteuid() != 0 || *conf->user == '\0')
		return db;
	/* Root made the file; the daemon reads it as somebody else. */
	if (proc_find_user(conf->user, &uid, &gid) == -1 ||
	    chown(conf->database, uid, gid) == -1)
		cmd_note("%s: cannot give it to user %s: %s", conf->database,
		    conf->user, strerror(errno));
	return db;
}

/* "option=value" onto the app. */
static int
assign(const struct cmd *c, struct app *a, const char *text)
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
		put_app(c->out, &a, false, false);
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
		r = assign(c, a, c->args[i]);
	return r;
}

static int
set_enabled(struct cmd *c, struct app *a)
{
	UNUSED(c);
	a->enabled = 1;
	return CMD_OK;
}

static int
set_disabled(struct cmd *c, struct app *a)
{
	UNUSED(c);
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

/* ---- create ---- */

/* One line from the terminal without showing it. */
static struct buf *
ask_secret(void)
{
	struct termios old, quiet;
	struct buf *b = buf_new(SECRET_FILE_MAX);
	bool hidden = tcgetattr(STDIN_FILENO, &old) == 0;
	ssize_t n;

	fputs("Secret: ", stderr);
	if (hidden) {
		quiet = old;
		quiet.c_lflag &= ~(tcflag_t)ECHO;
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
	}
	n = read(STDIN_FILENO, b->data, SECRET_FILE_MAX);
	if (hidden)
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &old);
	fputc('\n', stderr);
	b->len = n > 0 ? (uint32_t)n : 0;
	return b;
}

/* The text of FILE without the line feed at its end. */
static int
read_secret(struct app *a, const char *path)
{
	bool asks = strcmp(path, "-") == 0 && isatty(STDIN_FILENO) == 1;
	struct buf *b =
	    asks ? ask_secret() : cmd_read_file(path, SECRET_FILE_MAX);
	struct str s;
	const char *bad;

	if (b == NULL)
		return CMD_FAILED;
	s = buf_str(b);
	if (str_ends(s, S("\n")))
		s.n--;
	if (str_ends(s, S("\r")))
		s.n--;
	bad = credential_check_secret(s);
	if (bad == NULL)
		a->secret = str_dup(s);
	explicit_bzero(b->data, b->cap);
	buf_unref(b);
	return bad == NULL ? CMD_OK : cmd_fail("the secret %s", bad);
}

/* Everything that does not need the database. */
static int
make_app(const struct cmd *c, struct app *a)
{
	const char *id = cmd_value(c, "id"), *key = cmd_value(c, "key");
	const char *name = cmd_value(c, "name"), *bad;
	const char *secret_from = cmd_value(c, "secret-from");
	char hex[CREDENTIAL_SECRET_LEN + 1];
	size_t i;
	int r = CMD_OK;

	app_init(a);
	if (id != NULL && (bad = credential_check_name(str_of(id))) != NULL)
		return cmd_fail("the id \"%s\" %s", id, bad);
	if (key != NULL && (bad = credential_check_name(str_of(key))) != NULL)
		return cmd_fail("the key \"%s\" %s", key, bad);
	if (name != NULL &&
	    (bad = credential_check_label(str_of(name))) != NULL)
		return cmd_fail("the name %s", bad);
	a->id = id == NULL ? NULL : xstrdup(id);
	a->name = xstrdup(name == NULL ? "" : name);
	sign_random_hex(hex, CREDENTIAL_KEY_LEN);
	a->key = xstrdup(key == NULL ? hex : key);
	if (secret_from != NULL) {
		r = read_secret(a, secret_from);
	} else {
		sign_random_hex(hex, CREDENTIAL_SECRET_LEN);
		a->secret = xstrdup(hex);
	}
	explicit_bzero(hex, sizeof(hex));
	for (i = 0; i < c->nvalues && r == CMD_OK; i++)
		if (strcmp(c->values[i].option->name, "set") == 0)
			r = assign(c, a, c->values[i].value);
	return r;
}

/* An id that no app has. */
static int
choose_id(struct appdb *db, struct app *a)
{
	char id[CREDENTIAL_ID_MAX];
	struct app other;
	unsigned i;

	for (i = 0; i < ID_TRIES; i++) {
		credential_make_id(id, 6 + i / (ID_TRIES / 10));
		switch (appdb_find(db, id, &other)) {
		case 0:
			a->id = xstrdup(id);
			return CMD_OK;
		case 1:
			app_clear(&other);
			break;
		default:
			return cmd_fail("%s", appdb_error(db));
		}
	}
	return cmd_fail("no free id found: give one with --id");
}

static int
count_app(void *arg, const struct app *a)
{
	size_t *n = arg;

	UNUSED(a);
	++*n;
	return 0;
}

/* Inserts unless --if-none says no; *made: whether it was. */
static int
insert_app(const struct cmd *c, struct appdb *db, struct app *a, bool *made)
{
	size_t n = 0;
	int r = CMD_OK;

	*made = false;
	if (appdb_begin(db) == -1)
		return cmd_fail("%s", appdb_error(db));
	if (cmd_has(c, "if-none") && appdb_each(db, count_app, &n) == -1)
		r = cmd_fail("%s", appdb_error(db));
	if (r == CMD_OK && n == 0 && a->id == NULL)
		r = choose_id(db, a);
	if (r == CMD_OK && n == 0) {
		*made = appdb_insert(db, a) == 0 && appdb_commit(db) == 0;
		if (!*made)
			r = cmd_fail("%s", appdb_error(db));
	}
	if (!*made)
		appdb_rollback(db);
	return r;
}

int
cmd_app_create(struct cmd *c)
{
	struct appdb *db;
	struct app a;
	bool made = false;
	int r;

	r = make_app(c, &a);
	if (r != CMD_OK)
		goto out;
	db = cmd_app_open_db(c);
	if (db == NULL) {
		r = CMD_FAILED;
		goto out;
	}
	r = insert_app(c, db, &a, &made);
	appdb_close(db);
	if (!made)
		goto out;
	put_app(c->out, &a, true, false);
	out_hint(c->out, "\nnext: %s app snippets %s", c->self, a.id);
	r = cmd_tell_apps_changed(c);
out:
	app_clear(&a);
	return r;
}

/* ---- list and show ---- */

static int
put_row(void *arg, const struct app *a)
{
	struct out *o = arg;

	out_row_open(o);
	put_credentials(o, a, false);
	if (out_is_json(o))
		put_settings(o, a);
	out_row_close(o);
	return 0;
}

int
cmd_app_list(struct cmd *c)
{
	struct appdb *db = cmd_open_db(c, APPDB_READ);
	int r = CMD_OK;

	if (db == NULL)
		return CMD_FAILED;
	if (out_is_json(c->out))
		out_table_open(c->out, NULL, all_keys, nitems(all_keys));
	else
		out_table_open(c->out, NULL, list_keys, nitems(list_keys));
	if (appdb_each(db, put_row, c->out) == -1)
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
	put_app(c->out, &a, cmd_has(c, "reveal"), true);
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
		    "nobody to ask whether to delete app %s: add --yes", a->id);
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
