/* SPDX-License-Identifier: MIT */
/*
 * rotate.c: `pusherctl app rotate-key`: a new key and secret, while the
 * previous ones stay valid for an overlap in which applications are changed.
 * An app has two keys at most: a second rotation must wait, or end the old key.
 * The daemon ends the old key in time without another command.
 */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/cmd/app.h"
#include "cli/cmd/cmd.h"
#include "shared/app/credential.h"
#include "shared/base/xmalloc.h"
#include "shared/crypto/sign.h"

#define OVERLAP_DEFAULT 86400
#define OVERLAP_MAX 31536000 /* a year */

const struct cmd_option cmd_app_rotate_options[] = {
	{ "overlap", "SECONDS",
	    "for which the old key stays valid (86400; 0: it expires now)" },
	{ "finish", NULL, "make no new key, only expire the old one now" },
	{ NULL, NULL, NULL },
};

static int
rotate(const struct cmd *c, struct app *a, uint64_t overlap)
{
	char key[CREDENTIAL_KEY_LEN + 1], secret[CREDENTIAL_SECRET_LEN + 1];
	uint64_t now = (uint64_t)time(NULL);

	if (app_has_old_key(a, now))
		return cmd_fail("app %s has two keys already: %s is valid for "
				"%" PRIu64 " seconds more; to expire it now: "
				"%s app rotate-key --finish %s",
		    a->id, a->old_key, a->old_until - now, c->self, a->id);
	app_drop_old_key(a);
	sign_random_hex(key, CREDENTIAL_KEY_LEN);
	sign_random_hex(secret, CREDENTIAL_SECRET_LEN);
	a->old_key = a->key;
	a->old_secret = a->secret;
	a->old_until = now + overlap;
	if (overlap == 0)
		app_end_old_key(a);
	a->key = xstrdup(key);
	a->secret = xstrdup(secret);
	explicit_bzero(secret, sizeof(secret));
	return CMD_OK;
}

static int
finish(struct app *a)
{
	uint64_t now = (uint64_t)time(NULL);

	if (!app_has_old_key(a, now))
		return cmd_fail("app %s has one key only", a->id);
	a->old_until = now;
	app_end_old_key(a);
	return CMD_OK;
}

/* Finds, changes, writes: in one transaction. */
static int
change(const struct cmd *c, struct appdb *db, uint64_t overlap, struct app *a)
{
	int r;

	if (appdb_begin(db) == -1)
		return cmd_fail("%s", appdb_error(db));
	r = cmd_find_app(c, db, c->args[0], a);
	if (r == CMD_OK)
		r = cmd_has(c, "finish") ? finish(a) : rotate(c, a, overlap);
	if (r == CMD_OK &&
	    (appdb_update(db, a) == -1 || appdb_commit(db) == -1))
		r = cmd_fail("%s", appdb_error(db));
	if (r != CMD_OK)
		appdb_rollback(db);
	return r;
}

int
cmd_app_rotate_key(struct cmd *c)
{
	const char *text = cmd_value(c, "overlap");
	uint64_t overlap = OVERLAP_DEFAULT;
	struct app a = { .id = NULL };
	struct appdb *db;
	int r;

	if (text != NULL &&
	    str_to_u64(str_of(text), OVERLAP_MAX, &overlap) == -1)
		return cmd_usage(
		    c, "--overlap takes 0 to %d seconds", OVERLAP_MAX);
	if (text != NULL && cmd_has(c, "finish"))
		return cmd_usage(c, "--overlap or --finish, not both");
	if ((db = cmd_open_db(c, APPDB_WRITE)) == NULL)
		return CMD_FAILED;
	r = change(c, db, overlap, &a);
	appdb_close(db);
	if (r == CMD_OK) {
		cmd_app_put(c->out, &a, !cmd_has(c, "finish"), false);
		r = cmd_tell_apps_changed(c);
	}
	app_clear(&a);
	return r;
}
