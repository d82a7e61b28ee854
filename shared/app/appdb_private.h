/* SPDX-License-Identifier: MIT */
#ifndef SHARED_APP_APPDB_PRIVATE_H
#define SHARED_APP_APPDB_PRIVATE_H

/* Shared by the files appdb_*.c; no other file includes it. */

#include <sqlite3.h>

#include "shared/app/appdb.h"

enum appdb_stmt {
	STMT_ALL,
	STMT_BY_ID,
	STMT_BY_KEY,
	STMT_BY_NAME,
	STMT_INSERT,
	STMT_UPDATE,
	STMT_DELETE,
	STMT_COUNT
};

struct appdb {
	sqlite3 *db;
	sqlite3_stmt *stmts[STMT_COUNT];
	char uuid[APPDB_UUID_LEN + 1];
	char *error; /* the last sentence, or NULL */
};

/* Prepares every statement: -1 when the table has an unexpected form. */
int appdb_rows_prepare(struct appdb *);
void appdb_rows_finalize(struct appdb *);
/* Keeps the sentence, which it takes, as the error; -1. */
int appdb_fail(struct appdb *, char *sentence);
/* A statement has failed: the same. */
int appdb_fail_sqlite(struct appdb *);
/* The statement has changed one row, or there is no such app or webhook. */
int appdb_need_row(struct appdb *, const char *what, uint32_t num);
/* False: the file is of another kind, so that its mode is not our business. */
bool appdb_is_sqlite(const char *path);
/* The schema is the newest one; everything is prepared. */
bool appdb_is_ours(struct appdb *);

#endif
