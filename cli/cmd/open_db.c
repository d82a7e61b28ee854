/* SPDX-License-Identifier: MIT */
/*
 * open_db.c: opens the database of the apps for a command: as the user that the
 * daemon runs as, and behind other writers.
 */

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/cmd/cluster_change.h"
#include "cli/cmd/cmd.h"
#include "shared/proc/proc.h"

#define BUSY_MS 60000    /* ms for other writers to finish */
#define BUSY_PAUSE_MS 50 /* between two tries */

bool
cmd_wait_busy(const char *why, unsigned *waited_ms)
{
	const struct timespec pause = { 0, BUSY_PAUSE_MS * 1000000L };

	if (why == NULL || *waited_ms >= BUSY_MS ||
	    (strstr(why, "busy with another process") == NULL &&
		strstr(why, "database is locked") == NULL))
		return false;
	nanosleep(&pause, NULL);
	*waited_ms += BUSY_PAUSE_MS;
	return true;
}

struct appdb *
cmd_open_db(const struct cmd *c, enum appdb_mode mode)
{
	unsigned waited = 0;
	struct appdb *db;
	char *why = NULL;

	if (mode != APPDB_READ && cluster_change_check(c) != CMD_OK)
		return NULL;
	if (mode != APPDB_READ &&
	    proc_leave_root(c->conf->user, c->conf->database) == -1)
		return cmd_fail("cannot become %s", c->conf->user), NULL;
	/* With many commands at once, each waits for its turn. */
	while ((db = appdb_open(c->conf->database, mode, &why)) == NULL &&
	    cmd_wait_busy(why, &waited)) {
		free(why);
		why = NULL;
	}
	if (db != NULL)
		appdb_wait(db, BUSY_MS);
	if (db != NULL && mode != APPDB_READ)
		cluster_change_begin(c, db);
	if (db == NULL)
		cmd_fail("%s", why != NULL ? why : c->conf->database);
	free(why);
	return db;
}
