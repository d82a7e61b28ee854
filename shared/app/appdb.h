/* SPDX-License-Identifier: MIT */
#ifndef SHARED_APP_APPDB_H
#define SHARED_APP_APPDB_H

/*
 * The apps in SQLite.  The journal mode is rollback, not WAL: the table is tiny
 * and rarely written, and so a reader never needs to write.  synchronous=FULL:
 * a change that was confirmed is on disk.
 */

#include <stddef.h>
#include <stdint.h>

#include "shared/app/app.h"

struct appdb;

enum appdb_mode {
	APPDB_READ,  /* the file must exist */
	APPDB_TRY,   /* the same, without waiting when it is busy */
	APPDB_WRITE, /* the file must exist */
	APPDB_CREATE /* makes it (mode 0600) and migrates it */
};

/*
 * Opens the database and brings it to this version's schema (if it may write).
 * NULL and *why (free(3) it): a sentence with the path, the fault and the
 * remedy: missing, not readable, readable by others, corrupt, made by a newer
 * version; or busy, and then errno is EBUSY.
 */
struct appdb *appdb_open(const char *path, enum appdb_mode, char **why);
/*
 * The whole database as bytes, for appdb_open_image(); NULL when there is no
 * memory.  They hold secrets: appdb_image_free() wipes them.
 */
void *appdb_image(struct appdb *, size_t *n);
void appdb_image_free(void *, size_t n);
/*
 * Opens these bytes for reading.  NULL: they are no database of this version.
 */
struct appdb *appdb_open_image(const void *, size_t n);
/*
 * Asks wait() instead of waiting 2 s (readers: 0.1 s) for a busy database: true
 * after a pause: tries again.  n: how often it was asked before; arg has to
 * live as long as the database is open.
 */
void appdb_on_busy(struct appdb *, int (*wait)(void *arg, int n), void *arg);
/* Did the last call fail because another process has locked the file? */
bool appdb_is_busy(struct appdb *);
void appdb_close(struct appdb *);
/*
 * Could a server start with this database (which may be missing, if it can be
 * made)?  Changes nothing.  0, or -1 and *why.
 */
int appdb_check(const char *path, char **why);
/*
 * The UUID of this database as hex digits, without dashes: random, made with
 * the schema.  The row number of an app or an endpoint identifies it only
 * together with this UUID.  (A copy has the same UUID.)
 */
#define APPDB_UUID_LEN 32
const char *appdb_uuid(const struct appdb *);
/* The text of the last error. */
const char *appdb_error(const struct appdb *);

/* All of these: 0, or -1 with appdb_error(). */

/* Calls back for each app, by row number; stops when fn returns non-zero. */
int appdb_each(
    struct appdb *, int (*fn)(void *arg, const struct app *), void *arg);
/*
 * Finds an app by id, or else by key, or else by name if only one has it.  1:
 * found (app_clear() it), 0: there is none, -1: error.
 */
/* By id or key only, and never by name: 1 and *app, 0 none, -1 error. */
int appdb_find_exact(struct appdb *, const char *which, struct app *);
int appdb_find(struct appdb *, const char *which, struct app *out);
/* Inserts and sets app->num.  Fails when the id or the key is taken. */
int appdb_insert(struct appdb *, struct app *);
/* Writes every field of the row app->num. */
int appdb_update(struct appdb *, const struct app *);
int appdb_delete(struct appdb *, uint32_t num);
/* Several changes as one: BEGIN IMMEDIATE, COMMIT, ROLLBACK. */
int appdb_begin(struct appdb *);
int appdb_commit(struct appdb *);
void appdb_rollback(struct appdb *);

#endif
