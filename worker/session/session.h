/* SPDX-License-Identifier: MIT */
#ifndef WORKER_SESSION_SESSION_H
#define WORKER_SESSION_SESSION_H

/*
 * The resumable session of a connection: how much its client has received.
 * After events a ping with the number of the last one is sent, and the pong
 * that comes back confirms that the client has everything up to it.
 */

#include <assert.h>
#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "shared/base/buf.h"
#include "shared/base/hash.h"
#include "shared/base/list.h"
#include "shared/base/str.h"
#include "worker/session/session_pool.h"
#include "worker/session/session_turns.h"

struct conf;
struct conn;
struct session_table;

/*
 * Part of each connection.  A session whose client has confirmed everything is
 * not open: how far it has come is then in its row.
 */
struct client_session {
	uint32_t row; /* UINT32_MAX: none */
	/* In sessions.pool; 0: it is not open. */
	uint32_t open : SESSION_POOL_BITS;
	bool named : 1;   /* else the connection has no session */
	bool mute : 1;    /* it answers no ping: it is not asked any more */
	bool refused : 1; /* it is none: another connection has it, or */
	bool full : 1;    /* … the broker has no room for it */
	bool taken : 1;   /* the broker has reported that another one has it */
	bool ended : 1;   /* its connection has left everything */
};
static_assert(sizeof(struct client_session) == 8, "struct client_session");

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
	bool busy;         /* one got something in this turn */
	struct list fresh; /* got something in this turn, and do not wait */
	struct session_turns turns; /* to be asked later */
	struct list parting;        /* closed when they have answered */
	struct session_pool pool;
	uint32_t n;
	double tokens, tokens_at;
	struct hash_cursor walk;      /* over the worker's connections */
	struct hash earlier, present; /* see session_sids.c */
	uint64_t (*sid)(const struct conn *);
	uint32_t (*app)(const struct conn *);
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
 * In the functions below sid is that of the session's connection, and seen the
 * newest number of its app's log that this worker has seen.
 */

/*
 * Every few seconds.  Without an open question the client has all that this
 * worker has seen.
 */
void session_check(
    struct sessions *, struct client_session *, uint64_t sid, uint64_t seen);

/*
 * The connection, whose part s is, names a session: 16 to 64 characters; peer
 * is that of session_table_peer().
 */
void session_new(struct sessions *, struct client_session *s, struct conn *,
    uint32_t peer, struct str id);
/* Harmless when there is none. */
void session_free(struct sessions *, struct client_session *, uint64_t sid);
/* Announces it to the broker, if there is one, or again to a new one. */
void session_hello(struct sessions *, const struct client_session *,
    uint64_t sid, uint32_t app);
/* The connection ends: tells the broker, before it leaves its channels. */
void session_end(
    struct sessions *, struct client_session *, uint64_t sid, uint64_t seen);
/* The broker has given it this row, or UINT32_MAX: it has none any more. */
void session_set_row(
    struct sessions *, struct client_session *, uint64_t sid, uint32_t row);
/* The app's numbers start again at pos. */
void session_restart(struct sessions *, struct client_session *, struct conn *,
    uint32_t app, uint64_t pos);
/* Opens it; NULL: another connection has the session. */
struct open_session *session_open(
    struct sessions *, struct client_session *, struct conn *);
/* NULL: it is not open. */
static inline struct open_session *
session_opened(const struct sessions *ss, const struct client_session *s)
{
	return s->open == 0 ? NULL : session_pool_at(&ss->pool, s->open);
}
/* session_sent() follows soon. */
static inline void
session_prefetch(const struct sessions *ss, const struct client_session *s)
{
	if (s->open != 0)
		__builtin_prefetch(session_pool_at(&ss->pool, s->open), 1);
}
/* It will be asked. */
static inline void
session_note(struct sessions *ss, struct open_session *o)
{
	ss->busy = true;
	if (list_is_empty(&o->asking))
		list_append(&ss->fresh, &o->asking);
}
/* An event with this number, or an answer, has been queued. */
static inline void
session_sent(
    struct sessions *ss, struct client_session *s, struct conn *c, uint64_t pos)
{
	struct open_session *o = session_opened(ss, s);

	if (o == NULL && (o = session_open(ss, s, c)) == NULL)
		return;
	if (pos > o->sent)
		o->sent = pos;
	session_note(ss, o);
}
/* Has the client been sent anything that it has not confirmed? */
static inline bool
session_is_behind(const struct sessions *ss, const struct client_session *s)
{
	const struct open_session *o = session_opened(ss, s);

	return o != NULL && o->sent > o->acked;
}
/* Does its client answer, so that it misses nothing when it comes back? */
static inline bool
session_is_sure(const struct sessions *ss, const struct client_session *s)
{
	const struct open_session *o = session_opened(ss, s);

	return s->row != UINT32_MAX && !s->refused && !s->ended && !s->mute &&
	    (o == NULL || o->unanswered == 0);
}
/* The client has everything up to here; 0: nothing. */
uint64_t session_acked(
    const struct sessions *, const struct client_session *, uint64_t sid);
/*
 * A pong with this payload: true if it answers `asked`, and *us is how long it
 * took.
 */
bool session_on_pong(struct sessions *, struct client_session *,
    struct str payload, uint64_t *us);
/*
 * Asks now, whatever the rate, one that is open.  False: no answer would come
 * in time; the last question has been open for these seconds already, or the
 * client is not asked.
 */
bool session_ask(
    struct sessions *, struct client_session *, uint64_t pos, double seconds);
/*
 * Its last question, which stands after everything up to pos.  False: there is
 * none, because another connection has the session.
 */
bool session_last(struct sessions *, struct client_session *, struct conn *,
    uint64_t pos, struct buf **);
/* Stores what the client has if the connection ends now. */
void session_settle(
    struct sessions *, struct client_session *, uint64_t sid, uint64_t seen);

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
