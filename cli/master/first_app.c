/* SPDX-License-Identifier: MIT */
/*
 * first_app.c: one app from the environment, so that the .env of an application
 * can serve both sides.  Runs before there is a child; afterwards only
 * pusherctl changes apps, and its changes stay.
 */

#include "cli/master/first_app.h"

#include <stdlib.h>
#include <string.h>

#include "shared/app/app.h"
#include "shared/app/appdb.h"
#include "shared/base/log.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "shared/conf/env_names.h"

static int
refuse(const struct conf *conf, struct appdb *db, char **why)
{
	*why = xasprintf("cannot make the app of the environment in %s: %s",
	    conf->database, appdb_error(db));
	return -1;
}

/* Can other machines reach the server? */
static bool
is_public(const struct conf *conf)
{
	for (size_t i = 0; i < conf->listen.n; i++) {
		struct str a = str_of(conf->listen.v[i]);

		if (!str_starts(a, S("127.")) && !str_starts(a, S("[::1]")) &&
		    !str_starts(a, S("unix:")))
			return true;
	}
	return false;
}

static int
make(const struct conf *conf, struct appdb *db, struct app *a, char **why)
{
	struct app old;
	int r = appdb_find(db, a->id, &old);

	if (r == -1)
		return refuse(conf, db, why);
	if (r == 1) {
		if (strcmp(old.id, a->id) == 0 && strcmp(old.key, a->key) != 0)
			log_warnx("app %s: the key in the environment differs; "
				  "the key in the database is used",
			    a->id);
		app_clear(&old);
		return 0;
	}
	if (strcmp(a->secret, "app-secret") == 0 && is_public(conf)) {
		*why = xasprintf("the environment has the published secret "
				 "app-secret for app %s: choose another one, "
				 "or listen on 127.0.0.1 only",
		    a->id);
		return -1;
	}
	if (a->name == NULL)
		a->name = xstrdup("");
	if (appdb_insert(db, a) == -1)
		return refuse(conf, db, why);
	log_info("app %s made from the environment", a->id);
	return 0;
}

int
first_app_check(char **why)
{
	struct app a;
	int r = env_names_app(&a, why);

	if (r == 1)
		app_clear(&a);
	return r == -1 ? -1 : 0;
}

int
first_app_make(const struct conf *conf, char **why)
{
	struct appdb *db;
	struct app a;
	int r = env_names_app(&a, why);

	if (r != 1)
		return r;
	r = -1;
	db = appdb_open(conf->database, APPDB_CREATE, why);
	if (db != NULL) {
		r = make(conf, db, &a, why);
		appdb_close(db);
	}
	app_clear(&a);
	env_names_wipe();
	return r;
}
