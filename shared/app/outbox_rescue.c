/* SPDX-License-Identifier: MIT */
/*
 * outbox_rescue.c: the file of the outbox was deleted, replaced or damaged
 * while it was in use.  Accepted requests are still in the open file, or in
 * SQLite's memory; a copy of it is made beside the path and takes its place
 * when the old one is closed, because closing it removes the -wal of that name.
 * The copy gets its name when it is complete, so that a courier that dies
 * meanwhile leaves it to the next one.  Must never open the outbox with
 * open(2): closing that descriptor would release the locks of SQLite.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/app/outbox_db.h"
#include "shared/base/xmalloc.h"

#define STEPS 10000 /* SQLite pages between two heartbeats */

struct beating {
	void (*beat)(void *);
	void *arg;
};

static int
on_progress(void *arg)
{
	const struct beating *b = arg;

	b->beat(b->arg);
	return 0;
}

const char *
outbox_is_lost(struct outbox *o)
{
	static const char magic[16] = "SQLite format 3";
	sqlite3_file *f = NULL;
	sqlite3_int64 size = 0;
	char head[sizeof(magic)];
	int moved = 0;

	if (sqlite3_file_control(
		o->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK &&
	    moved)
		return "was deleted or replaced";
	if (sqlite3_file_control(
		o->db, "main", SQLITE_FCNTL_FILE_POINTER, &f) != SQLITE_OK ||
	    f == NULL || f->pMethods == NULL ||
	    f->pMethods->xFileSize(f, &size) != SQLITE_OK)
		return NULL;
	if (size < o->file_size)
		return "was cut off";
	o->file_size = size;
	if (size > 0 &&
	    f->pMethods->xRead(f, head, sizeof(head), 0) == SQLITE_OK &&
	    memcmp(head, magic, sizeof(magic)) != 0)
		return "was overwritten";
	return NULL;
}

static void
sync_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd != -1) {
		fsync(fd);
		close(fd);
	}
}

int
outbox_save(struct outbox *o, const char *path, void (*beat)(void *), void *arg)
{
	struct beating b = { beat, arg };
	char *part = xasprintf("%s.part", path);
	char *saved = xasprintf("%s.saved", path);
	char *sql = sqlite3_mprintf("VACUUM INTO %Q", part);
	mode_t mask = umask(077);
	int r = -1;

	unlink(part);
	sqlite3_progress_handler(o->db, STEPS, on_progress, &b);
	if (sql != NULL &&
	    sqlite3_exec(o->db, sql, NULL, NULL, NULL) == SQLITE_OK) {
		sync_file(part);
		r = rename(part, saved);
	} else {
		unlink(part);
	}
	umask(mask);
	sqlite3_progress_handler(o->db, 0, NULL, NULL);
	sqlite3_free(sql);
	free(saved);
	free(part);
	return r;
}

static void
remove_beside(const char *path, const char *end)
{
	char *name = xasprintf("%s%s", path, end);

	unlink(name);
	free(name);
}

void
outbox_bring_back(const char *path)
{
	char *saved = xasprintf("%s.saved", path);
	char *found = xasprintf("%s.found", path);

	if (access(saved, F_OK) == 0) {
		rename(path, found);
		/* Of the old file: SQLite would apply them to the new one. */
		remove_beside(path, "-wal");
		remove_beside(path, "-shm");
		rename(saved, path);
	}
	free(found);
	free(saved);
}
