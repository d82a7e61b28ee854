/* SPDX-License-Identifier: MIT */
#ifndef BROKER_LOG_RESUME_H
#define BROKER_LOG_RESUME_H

/*
 * Resumable sessions: which connection has one now, which channels it is in,
 * and up to which number of the app's log the client has each of them.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/hash.h"
#include "shared/base/list.h"
#include "shared/base/shares.h"
#include "shared/base/str.h"
#include "shared/proc/proc.h"
#include "shared/proc/session_table.h"

enum resume_status {
	RESUME_NONE,      /* no session: nothing is said */
	RESUME_NEW,       /* the channel is new in this session */
	RESUME_CONTINUED, /* everything after `from` follows */
	RESUME_GAP
};

enum resume_reason {
	RESUME_NO_REASON,
	RESUME_EVICTED,
	RESUME_EXPIRED,
	RESUME_RESTARTED,
	RESUME_TOO_MANY,
	RESUME_UNCONFIRMED
};

struct resume_session {
	struct hash_node by_id, by_sid;
	struct list in_order; /* detached, oldest first; or of its slot */
	struct list in_app;   /* of its app, unless it has a connection */
	struct share *share;  /* the rows of its app */
	uint32_t row;
	uint64_t sid;         /* of its connection; 0: detached or gone */
	struct hash channels; /* struct resume_channel */
	bool all;          /* it may have been in channels that are not there */
	uint64_t all_from; /* then: it has them up to here; 0: see lost */
	enum resume_reason lost;
	double attached_at;
	bool used; /* its connection has subscribed something */
	bool anew; /* its connection has numbers of another log */
	bool over; /* … and more than the channels that are kept */
};

struct resumes {
	struct session_table *table; /* NULL: there are no sessions */
	struct hash by_id, by_sid;
	struct list slots[PROC_MAX_WORKERS]; /* with a connection */
	struct list detached, gone;          /* oldest first */
	struct shares shares;                /* of the rows */
	uint32_t nlive, ndetached, ngone;
	uint32_t free; /* a row that was given back, plus 1; 0: none */
	double
	    full_at; /* seconds of the monotonic clock; see resumes_is_full() */
};

void resumes_init(struct resumes *);
/* Takes over what a broker before this one has left in the table, or NULL. */
void resumes_recall(struct resumes *, struct session_table *);
void resumes_clear(struct resumes *);

/* The session of this connection, or NULL. */
struct resume_session *resumes_of(const struct resumes *, uint64_t sid);
struct session_row *resumes_row(
    const struct resumes *, const struct resume_session *);
struct resume_session *resumes_find(
    const struct resumes *, uint32_t app, struct str id);

/* A connection announces its session. */
struct resume_hello {
	uint32_t app;
	struct str id;
	uint64_t sid;
	unsigned slot;
	uint64_t epoch; /* of the app's log */
	double now;     /* seconds of the monotonic clock */
	bool replay;    /* it was there before, with another broker */
};
/* The session is this connection's from now on; NULL: no room. */
struct resume_session *resumes_attach(
    struct resumes *, const struct resume_hello *);
/* No row is free, and the last time that this was asked is a minute ago. */
bool resumes_is_full(struct resumes *, double now);
/* The connection has ended: the session may come back. */
void resumes_detach(struct resumes *, struct resume_session *, double now);
/* All connections of this worker have ended. */
void resumes_drop(struct resumes *, unsigned slot, double now);
/* Sessions of the app are void: it has no log any more. */
void resumes_forget_app(struct resumes *, uint32_t app);
/*
 * Parked for too long: seconds() gives how long an app's may be, and none may
 * be for less than `least` seconds.
 */
void resumes_expire(struct resumes *, uint32_t least,
    uint32_t (*seconds)(void *arg, uint32_t app), void *arg);

#endif
