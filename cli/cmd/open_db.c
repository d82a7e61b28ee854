/* SPDX-License-Identifier: MIT */
/*
 * open_db.c: opens the database of the apps for a command: as the user that the
 * daemon runs as, and behind other writers.
 */

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/cmd/cluster_change.h"
#include "cli/cmd/cmd.h"
#include "shared/base/clock.h"
#include "shared/proc/proc.h"

#define BUSY_MS 60000 /* ms for other writers to finish */
#define BUSY_NOTE_MS 1000
#define BUSY_PAUSE_MS 50 /* between two tries */

/* Waits on, after so long; a person is told after a second. */
static bool
pause_busy(const char *database, uint64_t before_ms, uint64_t waited_ms)
{
	const struct timespec pause = { 0, BUSY_PAUSE_MS * 1000000L };

	if (waited_ms >= BUSY_MS)
		return false;
	if (before_ms < BUSY_NOTE_MS && waited_ms >= BUSY_NOTE_MS &&
	    isatty(STDERR_FILENO) == 1)
		cmd_note("the database %s is busy with another process: "
			 "waiting, for at most %u s",
		    database, BUSY_MS / 1000);
	nanosleep(&pause, NULL);
	return true;
}

bool
cmd_wait_busy(const struct cmd *c, const char *why, struct cmd_busy *busy)
{
	uint64_t before = busy->waited_ms;

	if (why == NULL ||
	    (strstr(why, "busy with another process") == NULL &&
		strstr(why, "database is locked") == NULL))
		return false;
	if (busy->since_ms == 0)
		busy->since_ms = clock_ms(CLOCK_MONOTONIC);
	busy->waited_ms = clock_ms(CLOCK_MONOTONIC) - busy->since_ms;
	return pause_busy(c->conf->database, before, busy->waited_ms);
}

/* Called by SQLite while a statement waits for another writer. */
static int
on_busy(void *database, int n)
{
	uint64_t waited = (uint64_t)n * BUSY_PAUSE_MS;

	return pause_busy(
	    database, n == 0 ? 0 : waited - BUSY_PAUSE_MS, waited);
}

struct appdb *
cmd_open_db(const struct cmd *c, enum appdb_mode mode)
{
	struct cmd_busy busy = { 0 };
	struct appdb *db;
	char *why = NULL;

	if (mode != APPDB_READ && cluster_change_check(c) != CMD_OK)
		return NULL;
	if (mode != APPDB_READ &&
	    proc_leave_root(c->conf->user, c->conf->database) == -1)
		return cmd_fail("cannot become %s", c->conf->user), NULL;
	/* With many commands at once, each waits for its turn. */
	while ((db = appdb_open(c->conf->database, mode, &why)) == NULL &&
	    cmd_wait_busy(c, why, &busy)) {
		free(why);
		why = NULL;
	}
	if (db != NULL)
		appdb_on_busy(db, on_busy, c->conf->database);
	if (db != NULL && mode != APPDB_READ)
		cluster_change_begin(c, db);
	if (db == NULL)
		cmd_fail("%s", why != NULL ? why : c->conf->database);
	free(why);
	return db;
}
