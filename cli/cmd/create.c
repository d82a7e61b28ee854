/* SPDX-License-Identifier: MIT */
/*
 * create.c: `pusherctl app create`.  The secret comes from a file, from
 * the terminal or from the system's random numbers, never from an argument,
 * which every user of the machine could read.  It is printed once, when the
 * app is in the database.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "cli/cmd/app.h"
#include "cli/cmd/cmd.h"
#include "cli/cmd/conf_ask.h"
#include "shared/app/credential.h"
#include "shared/base/buf.h"
#include "shared/base/xmalloc.h"
#include "shared/crypto/sign.h"
#include "shared/proc/proc.h"

#define SECRET_FILE_MAX 4096
#define ID_TRIES 100

/*
 * A running server still has the apps of the missing file: numbers of a new
 * file would be mistaken for theirs.
 */
static bool
is_gone_below_server(const struct conf *conf)
{
	char *used = conf_ask_database(conf->control_path);
	bool r = used != NULL && strcmp(used, conf->database) == 0;

	if (r)
		cmd_fail("%s is gone, and the server that uses it is running: "
			 "put it back, or stop the server first",
		    conf->database);
	free(used);
	return r;
}

struct appdb *
cmd_app_open_db(const struct cmd *c)
{
	const struct conf *conf = c->conf;
	bool is_new = access(conf->database, F_OK) == -1 && errno == ENOENT;
	struct appdb *db;
	uid_t uid;
	gid_t gid;

	if (is_new && is_gone_below_server(conf))
		return NULL;
	db = cmd_open_db(c, APPDB_CREATE);
	if (db == NULL || !is_new || geteuid() != 0 || *conf->user == '\0')
		return db;
	/* Only root can write there; the daemon is another user's. */
	if (proc_find_user(conf->user, &uid, &gid) == -1 ||
	    chown(conf->database, uid, gid) == -1)
		cmd_note("%s: cannot give it to user %s: %s", conf->database,
		    conf->user, strerror(errno));
	return db;
}

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

/* All checks that do not need the database. */
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
			r = cmd_app_assign(c, a, c->values[i].value);
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

	++*n;
	return 0;
}

/* Does the app of --if-none or --if-absent exist?  1, 0, -1: error. */
static int
is_there(const struct cmd *c, struct appdb *db, const struct app *a)
{
	struct app twin;
	size_t n = 0;
	int r;

	if (cmd_has(c, "if-none") && appdb_each(db, count_app, &n) == -1)
		return -1;
	if (n > 0 || a->id == NULL || !cmd_has(c, "if-absent"))
		return n > 0;
	r = appdb_find_exact(db, a->id, &twin);
	if (r == 1) {
		r = strcmp(twin.id, a->id) == 0; /* or it was the key */
		app_clear(&twin);
	}
	return r;
}

/* Inserts unless --if-none or --if-absent forbids it; *made: whether it did. */
static int
insert_app(const struct cmd *c, struct appdb *db, struct app *a, bool *made)
{
	int n, r = CMD_OK;

	*made = false;
	if (appdb_begin(db) == -1)
		return cmd_fail("%s", appdb_error(db));
	n = is_there(c, db, a);
	if (n == -1)
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

	if (cmd_has(c, "if-absent") && cmd_value(c, "id") == NULL)
		return cmd_usage(c, "--if-absent needs --id");
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
	cmd_app_put(c->out, &a, true, false);
	out_hint(c->out, "\nnext: %s app snippets %s", c->self, a.id);
	if (a.id[strspn(a.id, "0123456789")] != '\0')
		cmd_note("the id %s has more than digits in it: some official "
			 "server libraries (Python) take only digits",
		    a.id);
	r = cmd_tell_apps_changed(c);
out:
	app_clear(&a);
	return r;
}
