/* SPDX-License-Identifier: MIT */
#ifndef SHARED_APP_OUTBOX_DB_H
#define SHARED_APP_OUTBOX_DB_H

/* The open file; only for outbox_*.c. */

#include <sqlite3.h>

#include "shared/app/outbox.h"

enum outbox_stmt {
	OUTBOX_PUT,
	OUTBOX_EXTEND,
	OUTBOX_SET_DONE,
	OUTBOX_SET_FAILED,
	OUTBOX_EVENTS,
	OUTBOX_SET_HOOK_STATE,
	OUTBOX_DELETE_HOOK_STATE,
	OUTBOX_GET_SEQ,
	OUTBOX_SET_SEQ,
	OUTBOX_STMTS
};

struct outbox {
	sqlite3 *db;
	sqlite3_stmt *stmts[OUTBOX_STMTS]; /* prepared at the first use */
	struct outbox_counts counts;
	uint64_t name; /* random, of this file */
	uint64_t data_version;
	sqlite3_int64 file_size; /* it never shrinks */
};

/* Runs a query whose first row begins with a number; -1: there is no row. */
int outbox_ask_number(struct outbox *, const char *sql, uint64_t *);
/* Begins a transaction if there is none. */
int outbox_begin(struct outbox *);
/*
 * Runs a DELETE that ends with OUTBOX_RETURNING, and finalizes it: how many
 * rows, with their ids unless NULL, or -1.  NULL is allowed: -1.
 */
#define OUTBOX_RETURNING " RETURNING state, bytes, id"
int outbox_delete_rows(struct outbox *, sqlite3_stmt *, uint64_t *ids);
/* Counts the rows again. */
int outbox_recount(struct outbox *);
/* The number of rows with this state. */
uint64_t *outbox_counter(struct outbox *, int state);

#endif
