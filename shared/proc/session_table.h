/* SPDX-License-Identifier: MIT */
#ifndef SHARED_PROC_SESSION_TABLE_H
#define SHARED_PROC_SESSION_TABLE_H

/*
 * The resumable sessions in memory that outlives every process but the master.
 * The broker owns the rows; the worker that has a session's connection only
 * stores `acked` in its row, so that this survives the worker's death.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/str.h"

#define SESSION_ID_MIN 16
#define SESSION_ID_MAX 64
#define SESSION_SIDS 4

enum session_state {
	SESSION_FREE,
	SESSION_LIVE,     /* it has a connection */
	SESSION_DETACHED, /* it may come back */
	SESSION_GONE      /* it came back too late, or not at all */
};

struct session_row {
	uint32_t state; /* enum session_state */
	uint32_t app;
	uint16_t slot; /* of the worker with its connection */
	uint16_t id_len;
	/*
	 * Its channels, and how many of them its connection has not entered
	 * again: of those the client has less than `acked`.
	 */
	uint16_t channels, out;
	uint64_t epoch; /* of the log that acked is a number of */
	uint64_t acked; /* everything up to it is with the client; 0: nothing */
	uint64_t since_ms; /* of the wall clock: when its state began */
	uint64_t sids[SESSION_SIDS]; /* its socket ids, newest first */
	char id[SESSION_ID_MAX];
};

struct session_table {
	uint32_t cap;
	uint32_t used; /* rows that have ever been in use */
	struct session_row rows[];
};

/* Before there are children; NULL with errno. */
struct session_table *session_table_map(uint32_t cap);
/*
 * At an orderly stop and at the next start, when nobody else uses it.  Without
 * a file, or with one of another shape, the table stays empty.  -1 with errno:
 * it cannot be written.
 */
int session_table_save(const struct session_table *, const char *path);
void session_table_load(struct session_table *, const char *path);
/* 16 to 64 characters of A-Z a-z 0-9 _ - */
bool session_id_is_valid(struct str id);
/*
 * The client has everything up to pos.  False: the row is not this
 * connection's any more.
 */
static inline bool
session_row_ack(struct session_row *row, uint64_t sid, uint64_t pos)
{
	if (__atomic_load_n(&row->sids[0], __ATOMIC_ACQUIRE) != sid)
		return false;
	__atomic_store_n(&row->acked, pos, __ATOMIC_RELEASE);
	return true;
}

#endif
