/* SPDX-License-Identifier: MIT */
#ifndef SHARED_PROC_SESSION_TABLE_H
#define SHARED_PROC_SESSION_TABLE_H

/*
 * The resumable sessions in memory that outlives every process but the master.
 * The broker owns the rows; the worker that has a session's connection only
 * stores `acked` in its row, so that this survives the worker's death.
 */

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/str.h"
#include "shared/proc/session_id.h"

#define SESSION_SIDS 4
#define SESSION_TAKEN (UINT32_MAX - 1) /* a row; see SESSION_OK */

enum session_state {
	SESSION_FREE,
	SESSION_LIVE,    /* it has a connection */
	SESSION_DETACHED /* it may be resumed */
};

/* Why a session has no row any more, for a day. */
enum session_end {
	SESSION_UNKNOWN, /* nothing */
	SESSION_EXPIRED, /* it was away for too long */
	SESSION_EVICTED  /* another session got its row */
};

#define SESSION_GRAVES 4 /* for each row */

struct session_grave {
	uint64_t key; /* of app and id; 0: free */
	uint64_t at;  /* when, in ms as session_now(), times 4, plus why */
};

#define SESSION_ID_BITS 16 /* bytes in the row */
#define SESSION_REPLAYED_MAX (UINT64_MAX >> 8)

/* Each connection with a session needs one: each field counts. */
struct session_row {
	uint64_t sid;           /* the socket id of its last connection */
	uint64_t acked;         /* the client has all up to it; 0: nothing */
	uint64_t replayed : 56; /* the newest replayed number, modulo 2^56 */
	uint64_t id_len : 8;    /* as in struct session_id */
	uint32_t since;         /* session_now() when its state began */
	uint32_t app;
	uint32_t peer;  /* session_table_peer() of its maker */
	uint32_t epoch; /* session_epoch() of the log to which acked belongs */
	uint8_t id[SESSION_ID_BITS]; /* of struct session_id */
	uint16_t slot;               /* of the worker with its connection */
	/*
	 * The number of its channels, and of those that its connection has not
	 * entered again: of these the client has less than `acked`.  The same
	 * holds for all of them while acked is below `replayed`.
	 */
	uint16_t channels, out;
	uint8_t state;    /* enum session_state */
	bool entered : 1; /* its connection has entered a channel */
	bool more : 1;    /* its struct session_more is in use */
	bool idle : 1;    /* its newest earlier sid subscribed nothing */
	/* It may have been in channels that `channels` does not count. */
	bool uncounted : 1;
};
static_assert(sizeof(struct session_row) == 64, "struct session_row");

/* The rest, which few sessions have, in memory that is only touched then. */
struct session_more {
	uint64_t sids[SESSION_SIDS - 1]; /* earlier ones, newest first */
	/*
	 * A bit for each channel that the client has unsubscribed: `acked` says
	 * nothing of these.
	 */
	uint64_t left;
	uint8_t id[sizeof(struct session_id) - 1 - SESSION_ID_BITS];
};

struct session_table {
	uint32_t cap;
	uint32_t used; /* rows that have ever been in use */
	uint64_t salt; /* of the keys of tombstones */
	bool buried;   /* tombstones exist: searching touches memory, too */
	/* Until then, as session_now(), clients of lost ones come back. */
	uint32_t lost_until;
	struct session_row rows[];
};

/* Seconds since the machine began: a wall clock that is put right ends none. */
uint32_t session_now(void);
/* Call before there are children; NULL with errno. */
struct session_table *session_table_map(uint32_t cap);
/*
 * At a graceful stop and at the next start, when no other process uses it: in
 * dir, and beside the database.  A file stands in each place while the group
 * runs, too, without sessions: if it is found, or one of another layout, the
 * table stays empty, and its sessions count as lost lately, also if another
 * stop and start follow at once.  The time between them counts for sessions and
 * tombstones: by the wall clock, since the machine may have begun anew, and at
 * most what it has been up for since the stop, if it has not.
 */
void session_table_save(
    const struct session_table *, const char *dir, const char *database);
void session_table_load(
    struct session_table *, const char *dir, const char *database);
/* Earlier sessions were lost, and their clients may still come back. */
bool session_table_lost_lately(const struct session_table *);
/* The session has ended; the oldest of many ended ones may be forgotten. */
void session_table_bury(
    struct session_table *, const struct session_row *, enum session_end);
enum session_end session_table_buried(
    const struct session_table *, uint32_t app, struct str id);
/* A number for the owner of an address, the same in all processes. */
uint32_t session_table_peer(const struct session_table *, struct str owner);
struct session_id session_row_id(
    const struct session_table *, const struct session_row *);
void session_row_set_id(
    struct session_table *, struct session_row *, const struct session_id *);
/* The rest of a row, made when it is not in use. */
struct session_more *session_row_more(
    struct session_table *, struct session_row *);
/* struct session_more.left */
uint64_t session_row_left(
    const struct session_table *, const struct session_row *);
/*
 * Events may exclude the socket id of a connection that is over.  Those that
 * have not subscribed anything (used) share one place: a client that reconnects
 * again and again must not push out the others.
 */
void session_row_keep_sid(
    struct session_table *, struct session_row *, bool used);
/* Its socket ids, newest first; 0: none. */
void session_row_sids(const struct session_table *, const struct session_row *,
    uint64_t sids[SESSION_SIDS]);
static inline uint32_t
session_epoch(uint64_t epoch)
{
	return (uint32_t)(epoch ^ epoch >> 32);
}
/*
 * Gives what session_row_ack() has stored, or 0.  False: the row is not this
 * connection's any more.
 */
static inline bool
session_row_acked(const struct session_row *row, uint64_t sid, uint64_t *pos)
{
	*pos = __atomic_load_n(&row->acked, __ATOMIC_ACQUIRE);
	return __atomic_load_n(&row->sid, __ATOMIC_ACQUIRE) == sid;
}
/*
 * Stores that the client has everything up to pos.  False: the row is not this
 * connection's any more.
 */
static inline bool
session_row_ack(struct session_row *row, uint64_t sid, uint64_t pos)
{
	if (__atomic_load_n(&row->sid, __ATOMIC_ACQUIRE) != sid)
		return false;
	__atomic_store_n(&row->acked, pos, __ATOMIC_RELEASE);
	return true;
}

#endif
