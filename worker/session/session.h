/* SPDX-License-Identifier: MIT */
#ifndef WORKER_SESSION_SESSION_H
#define WORKER_SESSION_SESSION_H

/*
 * The resumable session of a connection: how much its client has received.
 * After events a ping with the number of the last one is sent, and the pong
 * that comes back confirms that the client has everything up to it.
 */

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "shared/base/buf.h"
#include "shared/base/hash.h"
#include "shared/base/list.h"
#include "shared/base/str.h"

struct conf;
struct conn;
struct session_table;

/* An idle connection has one: each field counts. */
struct client_session {
	struct list asking; /* in sessions.fresh or .waiting */
	struct conn *c;
	union {
		struct session_name *name; /* until it has a row */
		const char *part_text;     /* then: see session.part_code */
	};
	uint64_t acked;     /* the client has everything up to here */
	uint64_t sent;      /* the newest number that was queued */
	uint64_t ping_pos;  /* in the ping that was sent; 0: none is open */
	double ping_at;     /* when the last one left */
	uint32_t row;       /* UINT32_MAX: none */
	uint16_t part_code; /* it is closed with this when it has answered */
	uint8_t unanswered;
	bool mute : 1;    /* it answers no ping: it is not asked any more */
	bool refused : 1; /* it is none: another connection has it, or */
	bool full : 1;    /* … the broker has no room for it */
	bool taken : 1;   /* the broker has reported that another one has it */
	bool ended : 1;   /* its connection has left everything */
};

struct session_name {
	uint32_t peer; /* session_table_peer() */
	char id[];
};

struct sessions {
	const struct conf *conf;
	struct session_table *table; /* NULL: nothing outlives this process */
	struct ev_loop *loop;
	struct ipc *link; /* to the broker */
	ev_timer timer;
	struct list fresh;   /* got something in this turn */
	struct list waiting; /* to be asked later, longest waiting first */
	uint32_t n;
	double tokens, tokens_at;
	struct hash_cursor walk;      /* over the worker's connections */
	struct hash earlier, present; /* see session_sids.c */
	uint64_t (*sid)(const struct conn *);
	/* Queues bytes for the client of the connection. */
	void (*queue)(struct conn *, struct str);
};

void sessions_init(struct sessions *);
void sessions_start(struct sessions *, const struct conf *,
    struct session_table *, struct ev_loop *, struct ipc *link);
void sessions_clear(struct sessions *);
/* The end of a turn, before the clients are written to. */
void sessions_turn(struct sessions *);
/*
 * Every few seconds.  Without an open question the client has all that this
 * worker has seen.
 */
void session_check(struct sessions *, struct client_session *, uint64_t seen);

/*
 * The connection names a session: 16 to 64 characters; peer is that of
 * session_table_peer().
 */
struct client_session *session_new(
    struct sessions *, struct conn *, uint32_t peer, struct str id);
/* NULL is allowed. */
void session_free(struct sessions *, struct client_session *);
/* Announces it to the broker, if there is one, or again to a new one. */
void session_hello(
    struct sessions *, const struct client_session *, uint32_t app);
/* The connection ends: tells the broker, before it leaves its channels. */
void session_end(struct sessions *, struct client_session *, uint64_t seen);
/* The broker has given it this row, or UINT32_MAX: it has none any more. */
void session_set_row(struct sessions *, struct client_session *, uint32_t row);
/* The app's numbers start again at pos. */
void session_restart(
    struct sessions *, struct client_session *, uint32_t app, uint64_t pos);
/* An event with this number, or an answer, has been queued. */
static inline void
session_sent(struct sessions *ss, struct client_session *s, uint64_t pos)
{
	if (pos > s->sent)
		s->sent = pos;
	if (list_is_empty(&s->asking))
		list_append(&ss->fresh, &s->asking);
}
/* Has the client been sent anything that it has not confirmed? */
static inline bool
session_is_open(const struct client_session *s)
{
	return s->sent > s->acked;
}
/* Does its client answer, so that it misses nothing when it comes back? */
static inline bool
session_is_sure(const struct client_session *s)
{
	return s->row != UINT32_MAX && !s->refused && !s->ended && !s->mute &&
	    s->unanswered == 0;
}
/*
 * A pong with this payload: true if it answers `asked`, and *us is how long it
 * took.
 */
bool session_on_pong(struct sessions *, struct client_session *,
    struct str payload, uint64_t *us);
/*
 * Asks now, whatever the rate.  False: no answer would come in time; the last
 * question has been open for these seconds already, or the client is not asked.
 */
bool session_ask(
    struct sessions *, struct client_session *, uint64_t pos, double seconds);
/* Its last question, which stands after everything up to pos. */
void session_last(struct client_session *, uint64_t pos, struct buf **);
/* Stores what the client has if the connection ends now. */
void session_settle(struct sessions *, struct client_session *, uint64_t seen);

/*
 * The connection `sid` has this row: its earlier socket ids are known from now
 * on.
 */
void session_sids_note(struct sessions *, uint64_t sid, uint32_t row);
/* The connection has no session any more. */
void session_sids_forget(struct sessions *, uint64_t sid);
/* The connection whose session has had this socket id before; 0: none here. */
uint64_t session_sids_heir(const struct sessions *, uint64_t sid);

#define SESSION_KEY_MAX 256 /* bytes of an app key; longer ones are none */

/* The app key and the session id in the path of an upgrade. */
struct session_path {
	struct str key; /* decoded, of the app; p == NULL: it is another path */
	struct str id;  /* of the session; p == NULL: none is named */
};
/*
 * /app/KEY, /app/KEY;resume=ID, /app/resume/ID/app/KEY, /resume/ID/app/KEY;
 * path_prefix has been taken away.  The views are into path and room.
 */
struct session_path session_path(
    struct str path, char room[2 * SESSION_KEY_MAX]);
/* Is the path one of those, or meant to be? */
bool session_path_is_ours(struct str path);

#endif
