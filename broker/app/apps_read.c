/* SPDX-License-Identifier: MIT */
/*
 * apps_read.c: reads the apps from the database, and keeps an image of it for
 * the next broker.  Opens the database for each reading and closes it again; a
 * database that cannot be read changes nothing, because an app that vanishes
 * disconnects its clients for good.  Must never write to the database.
 */

#include "broker/app/apps_read.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "broker/app/apps.h"
#include "broker/core/core.h"
#include "broker/log/replay.h"
#include "shared/app/appdb.h"
#include "shared/base/base.h"
#include "shared/base/clock.h"
#include "shared/base/log.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "shared/proc/snapshot.h"

/* The rows of appdb_each(), before anything is changed. */
struct reading {
	struct app *v;
	size_t n, cap;
};

static int
collect(void *arg, const struct app *app)
{
	struct reading *r = arg;

	if (r->n == r->cap) {
		r->cap = r->cap == 0 ? 16 : r->cap * 2;
		r->v = xreallocarray(r->v, r->cap, sizeof(*r->v));
	}
	app_copy(&r->v[r->n++], app);
	return 0;
}

static void
forget_reading(struct reading *r)
{
	for (size_t i = 0; i < r->n; i++)
		app_clear(&r->v[i]);
	free(r->v);
}

/* Takes over the apps of the database. -1: nothing has changed. */
static int
take(struct broker *br, struct appdb *db)
{
	struct reading r = { NULL, 0, 0 };
	int result = appdb_each(db, collect, &r);

	if (result == 0) {
		apps_replace(br, r.v, r.n);
		result = br->apps->ops->read(br, db);
	}
	forget_reading(&r);
	return result;
}

/* For the next broker. False: the copy of before stays. */
static bool
keep(struct broker *br, struct appdb *db)
{
	struct snapshot *snapshot =
	    br->inherit == NULL ? NULL : br->inherit->apps;
	size_t n;
	void *p;

	if (snapshot == NULL)
		return true;
	p = appdb_image(db, &n);
	if (p == NULL) /* an empty one would take the next broker's apps away */
		return false;
	snapshot_put(snapshot, str_make(p, n));
	if (n > SNAPSHOT_MAX)
		log_warnx("apps: the database has %zu bytes, more than %u: a "
			  "broker that cannot read it has no apps",
		    n, SNAPSHOT_MAX);
	appdb_image_free(p, n);
	return true;
}

static int
read_file(struct broker *br, enum appdb_mode mode, char **why)
{
	struct appdb *db = appdb_open(br->conf->database, mode, why);
	bool was_late = br->apps->late, is_busy = false;
	uint64_t began = clock_ms(CLOCK_MONOTONIC);
	int result;

	br->apps->late = true;
	if (db == NULL)
		return -1;
	result = take(br, db);
	if (result == 0) {
		/* The next broker must know the app that is not gone yet. */
		br->apps->late = br->apps->waits == 0 && !keep(br, db);
	} else {
		*why = xasprintf("%s: %s", br->conf->database, appdb_error(db));
		is_busy = appdb_is_busy(db);
	}
	appdb_close(db);
	br->apps->reads += result == 0;
	br->apps->read_ms = clock_ms(CLOCK_MONOTONIC) - began;
	if (result == -1) {
		errno = is_busy ? EBUSY : EINVAL;
		return -1;
	}
	if (was_late && !br->apps->late)
		log_info("apps: the database can be read again");
	if (!was_late && br->apps->late)
		log_info("apps: the database cannot be copied now: the copy "
			 "for the next broker is older, and it is tried again "
			 "every second");
	return 0;
}

int
apps_read(struct broker *br, char **why)
{
	return read_file(br, APPDB_READ, why);
}

/* The database that the previous broker read last, or NULL. */
static struct appdb *
open_snapshot(const struct broker *br)
{
	struct str image = snapshot_get(br->inherit->apps);

	return image.n == 0 ? NULL : appdb_open_image(image.p, image.n);
}

/*
 * What the workers have is of the apps of the previous broker: those that the
 * database has no more are deleted now.
 */
int
apps_start(struct broker *br, char **why)
{
	struct appdb *db = open_snapshot(br);
	bool recalled = db != NULL && take(br, db) == 0;

	if (db != NULL && !recalled)
		log_warnx("apps: the previous ones: %s", appdb_error(db));
	appdb_close(db);
	if (read_file(br, APPDB_READ, why) == -1) {
		if (!recalled)
			return -1;
		log_warnx(
		    "apps: cannot read the database: the apps read last stay "
		    "in force, and it is tried again every second: %s",
		    *why);
		free(*why);
	}
	app_logs_sweep(&br->replay->logs);
	return 0;
}

void
apps_try(struct broker *br)
{
	uint32_t waits = br->apps->waits;
	char *why = NULL;

	if (!br->apps->late && (waits == 0 || apps_is_deleted(br, waits)))
		return;
	if (read_file(br, APPDB_TRY, &why) == -1)
		free(why);
}
