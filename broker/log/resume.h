/* SPDX-License-Identifier: MIT */
#ifndef BROKER_LOG_RESUME_H
#define BROKER_LOG_RESUME_H

/*
 * Resumable sessions: the connection that has each session now, its channels,
 * and up to which number of the app's log the client has each of them.
 */

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/log/resume_channels.h"
#include "broker/log/resume_index.h"
#include "broker/log/resume_memory.h"
#include "broker/log/resume_room.h"
#include "shared/base/list.h"
#include "shared/base/str.h"
#include "shared/proc/session_table.h"

enum resume_status {
	RESUME_NONE,      /* no session: nothing is sent */
	RESUME_NEW,       /* the session has not had the channel */
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

/* Belongs to a row; each connection with a session needs one. */
struct resume_session {
	struct resume_channels channels;
	uint32_t attached_at; /* seconds of the monotonic clock */
	uint8_t lost;         /* enum resume_reason */
	uint8_t booked;       /* see resume_memory_book() */
	bool attached : 1;    /* it has the connection row->sid */
	bool recalled : 1;    /* its last one was with an earlier broker */
	bool used : 1;        /* its connection has subscribed something */
	bool other_log : 1;   /* its connection has numbers of another log */
	bool over : 1;        /* ... and in more channels than are kept */
};
static_assert(sizeof(struct resume_session) == 32, "struct resume_session");

struct resumes {
	struct session_table *table; /* NULL: there are no sessions */
	struct resume_session *v;    /* of each row; memory when it is used */
	struct resume_index by_id, by_sid;
	struct hash away; /* struct resume_away, by row */
	struct resume_room room;
	struct resume_memory memory;
	uint32_t ndetached;
	uint32_t free; /* a row that was given back, plus 1; 0: none */
	double
	    full_at; /* seconds of the monotonic clock; see resumes_is_full() */
};

void resumes_init(struct resumes *);
/*
 * Takes over the sessions that an earlier broker left in the table (or NULL).
 */
void resumes_recall(struct resumes *, struct session_table *);
void resumes_clear(struct resumes *);

/* The session of this connection, or NULL. */
struct resume_session *resumes_of(const struct resumes *, uint64_t sid);
struct session_row *resumes_row(
    const struct resumes *, const struct resume_session *);
/* Its channels have changed: books their memory for its app. */
void resumes_book(struct resumes *, struct resume_session *);
struct resume_session *resumes_find(
    const struct resumes *, uint32_t app, struct str id);
/* The first one from row *i on, which becomes the next row; NULL: no more. */
struct resume_session *resumes_next(const struct resumes *, uint32_t *i);

/* A connection announces its session. */
struct resume_hello {
	uint32_t app;
	uint32_t peer;
	struct str id;
	uint64_t sid;
	unsigned slot;
	uint64_t epoch; /* of the app's log */
	double now;     /* seconds of the monotonic clock */
	bool replay;    /* the connection was with an earlier broker before */
	bool shared;    /* other apps have sessions, too */
};
/* Gives the session to this connection; NULL: no room. */
struct resume_session *resumes_attach(
    struct resumes *, const struct resume_hello *);
/*
 * The connection, if it has one, is over: its channels say how far the client
 * has come in each (resume_channel_from()).
 */
void resumes_part(struct resumes *, struct resume_session *, double now);
/*
 * A session of another host (h->sid, slot, replay, epoch: unused), which is not
 * here yet.  It has no connection and no channels: the caller sets them, and
 * the fields of its row.  NULL: no room.
 */
struct resume_session *resumes_bring(
    struct resumes *, const struct resume_hello *);
/*
 * Another host has the session: here the next connection is told that events
 * may be missing.
 */
void resumes_give_up(struct resumes *, struct resume_session *);
/* The same, by its id, whether it has been here or not. */
void resumes_elsewhere(struct resumes *, const struct resume_hello *);
/*
 * There is no room for it, and the last call that returned true is a minute
 * ago.
 */
bool resumes_is_full(struct resumes *, const struct resume_hello *);
/* The connection has ended: the session may be resumed. */
void resumes_detach(struct resumes *, struct resume_session *, double now);
/* All connections of this worker have ended. */
void resumes_drop(struct resumes *, unsigned slot, double now);
/* They are those of another worker from now on. */
void resumes_move(struct resumes *, unsigned from, unsigned to);
/* Voids the sessions of the app: it has no log any more. */
void resumes_forget_app(struct resumes *, uint32_t app);
/*
 * Ends sessions that have been away for longer than their app's seconds();
 * looks at no others.
 */
void resumes_expire(
    struct resumes *, uint32_t (*seconds)(void *arg, uint32_t app), void *arg);

#endif
