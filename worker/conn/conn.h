/* SPDX-License-Identifier: MIT */
#ifndef WORKER_CONN_CONN_H
#define WORKER_CONN_CONN_H

/*
 * A client's socket: receive, output queue, the end-of-turn flush, close and
 * reap.  It knows neither HTTP nor WebSocket: it calls c->ops, and
 * `handshake` swaps them.
 *
 * A connection is never freed in the middle of a turn: conn_close() marks it
 * and takes it out of everything, the memory goes at the end of the turn.
 */

#include <assert.h>
#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "shared/base/base.h"
#include "shared/base/hash.h"
#include "shared/base/list.h"
#include "shared/base/magic.h"
#include "shared/base/outq.h"
#include "shared/base/str.h"
#include "shared/net/deflate.h"
#include "worker/conn/timeout.h"
#include "worker/session/session.h"

struct app;
struct conn;
struct http;
struct marks;
struct client_member;
struct conn_rates;
struct signin;
struct transport;
struct worker;
struct ws_part;

struct conn_ops {
	/*
	 * Bytes from the peer (writable: unmasking happens in place).  Returns
	 * how many were used; the rest is passed again with more after it.  It
	 * may close the connection, and then returns anything.
	 */
	size_t (*feed)(struct conn *, char *bytes, size_t n);
	/* The timeout that was set has passed. */
	void (*on_timeout)(struct conn *);
	/* The connection is being closed: frees the owner's data. */
	void (*on_close)(struct conn *);
	/*
	 * The client reads too slowly (conf->client_buffer): queues a goodbye
	 * and leaves all channels.  NULL: the connection is just closed.
	 */
	void (*on_slow)(struct conn *);
	/* A peer that sent FIN may still wait for queued bytes. */
	bool half_close;
	/* Bytes that are read after the server's goodbye at most; 0: all. */
	uint32_t after_goodbye_max;
};

#define CONN_FINISH_SECONDS 3 /* for the peer's FIN after ours */

/* The states, in this order; any but OPEN and CLOSED may be skipped. */
enum conn_state {
	CONN_OPEN,
	CONN_REFUSED,    /* its refusal comes a little later: refused_late() */
	CONN_PARTING,    /* closed when it has answered: client_part() */
	CONN_CLOSING,    /* a WebSocket close frame was sent */
	CONN_FINISHING,  /* input is ignored; closed when flushed */
	CONN_PEER_ENDED, /* likewise, and the peer sends no more */
	CONN_LOST,       /* its socket is closed: conn_lose() */
	CONN_CLOSED      /* freed at the end of the turn */
};

/* The other end of the socket. */
enum conn_peer {
	PEER_NEW,       /* the head of its first request is not here */
	PEER_DIRECT,    /* a client */
	PEER_UNTRUSTED, /* not in trusted_proxies, but sends their headers */
	PEER_TRUSTED    /* a proxy in trusted_proxies */
};

/* Output against conf->client_buffer; see output.h. */
enum conn_backlog {
	BACKLOG_OK,
	BACKLOG_OVER, /* in w->slow, checked at the end of the turn */
	BACKLOG_SLOW  /* reads too slowly; accepts no more output */
};

/* The connection at the broker. */
enum conn_admission {
	ADMISSION_NONE,
	ADMISSION_PENDING, /* CONN_OPEN waits for CONN_OK */
	ADMISSION_DONE     /* the broker knows it: CONN_CLOSE is owed */
};

/* The session that a client has named. */
enum conn_resume {
	CONN_RESUME_NONE,
	CONN_RESUME_BAD,   /* its id is invalid: ignored */
	CONN_RESUME_NAMED, /* it is c->session */
	CONN_RESUME_BROKE  /* the client has left and may resume it */
};

/* A set: the reasons why input is stopped; see input.c. */
enum conn_input {
	INPUT_PAUSED = 1,   /* not fed until input_resume() */
	INPUT_STOPPED = 2,  /* not fed until input_go() */
	INPUT_DEAF = 4,     /* not read any more: conn_deafen() */
	INPUT_QUEUED = 8,   /* in one of w->input */
	INPUT_FEEDING = 16, /* inside ops->feed */
	INPUT_ALL = 31
};

struct conn {
	ev_io io;
	const struct conn_ops *ops;
	struct worker *w;
	struct outq out;
	struct buf *in;     /* unused bytes; usually NULL */
	struct list link;   /* in w->dirty, held, blocked or closed */
	struct list client; /* in w->clients once greeted */
	struct timeout timeout;
	struct hash_node node; /* in w->conns; node.hash is the sid */
	struct app *app;       /* NULL until the handshake; referenced */
	struct transport
	    *transport; /* TLS, proxies; NULL: the socket is the client */

	/* HTTP */
	struct http *http; /* the request that is being read or answered */

	/* WebSocket */
	struct ws_part *part;       /* half a message */
	struct list subs;           /* struct subscription */
	struct client_member *user; /* signed in as, or NULL */
	double opened_at;           /* loop time */
	struct marks *marks;        /* in its output; NULL: never awaited */
	struct conn_rates *rates;   /* how fast it sends; NULL: never limited */
	struct signin *signins;     /* not answered yet, oldest first */
	struct client_session session; /* resumable, if it is named */
	double blocked_at;             /* since then the socket takes nothing */
	double over_since; /* its queue is over the limit; 0: it is not */
	uint32_t owed;     /* bytes of the queue that it has requested */
	uint32_t nsubs;
	uint32_t unanswered;      /* questions at the broker */
	uint32_t unanswered_cost; /* of these; see worker/conn/input.h */
	uint32_t messages_in;     /* modulo 2^32 */
	int16_t credit;           /* see worker/conn/input.h */
	uint16_t round;           /* in which it was renewed */
	uint64_t packed_id;       /* the last compressed message it was sent */
	int64_t saved;            /* bytes, by compression */
	uint16_t close_code;      /* of our close frame, for the log */
	struct deflate_terms deflate; /* bits 0: no permessage-deflate */
	uint32_t magic;               /* MAGIC_CONN while it lives */
	uint32_t after_goodbye;       /* bytes received after the goodbye */

	uint8_t serves; /* enum listen_role: its permissions */
	enum conn_state state : 3;
	enum conn_peer peer : 2;
	enum conn_backlog backlog : 2;
	enum conn_admission admission : 2;
	enum conn_resume resume : 2;
	unsigned input : 5;   /* set of enum conn_input */
	bool blocked : 1;     /* output.c: the socket is full */
	bool pinged : 1;      /* ws.c: a ping waits for its pong */
	bool peer_closed : 1; /* ws.c: the peer's close frame came first */
	bool greeted : 1;     /* admission.c: connection_established is out */
	bool authorized : 1;  /* admission.c: it keeps the deadline for it */
	bool signed_in : 1;   /* signin.c: a sign-in has been answered */
	bool close_recorded : 1; /* close_record.c */
	bool sent_ahead : 1;     /* move_sockets.c: its socket */
};

/*
 * The connection of a list, a table or a callback.  Code that outlives a turn
 * keeps a socket id and calls conn_find(); only the parts of a connection point
 * at it.
 */
static inline struct conn *
conn_living(struct conn *c)
{
	assert(c->magic == MAGIC_CONN);
	return c;
}
#define CONN_OF(p, member) conn_living(container_of(p, struct conn, member))

/* It says goodbye, or is gone: it gets no more events or answers. */
static inline bool
conn_is_ending(const struct conn *c)
{
	return c->state >= CONN_CLOSING;
}

/* The id by which the other processes name the connection. */
static inline uint64_t
conn_sid(const struct conn *c)
{
	return c->node.hash;
}

/* For input_make(), which sets the socket. */
struct conn *conn_new(struct worker *, const struct conn_ops *, uint64_t sid);
/*
 * Gives it the socket id that it had in another process, or (0) an
 * unpredictable one; removes the id.
 */
void conn_name(struct conn *, uint64_t sid);
void conn_unname(struct conn *);
/* By sid; NULL when there is none or it is closed. */
struct conn *conn_find(struct worker *, uint64_t sid);
/*
 * A place in w->clients that outlives turns, in w->cursors: it moves on when
 * its connection leaves.
 */
struct conn_cursor {
	struct list link;
	uint64_t sid; /* the next one; 0: the end */
};

/* Adds a WebSocket client of an app to w->clients. */
void conn_enlist(struct conn *);
/*
 * Removes it from w->clients; the only way out.  Harmless when it is not there.
 */
void conn_delist(struct conn *);

/*
 * Queues bytes for the end of the turn.  A client whose queue grows above
 * conf->client_buffer is checked then: see output.h.  Ignored when closed or
 * finishing.
 */
void conn_queue(struct conn *, struct buf *, uint32_t off, uint32_t len);
void conn_queue_bytes(struct conn *, struct str);
/*
 * Queues the answer to a question of the client: the limit does not count it.
 */
void conn_queue_answer(struct conn *, struct str);
/* Queues the bytes in worker_scratch(). */
void conn_queue_scratch(struct conn *);
/* The same, also for a client that reads too slowly. */
void conn_queue_goodbye(struct conn *);

/* Counts a client that is leaving for good, once. */
void conn_record_close(struct conn *, unsigned code, struct str reason);

/* Sets its timeout, which calls ops->on_timeout.  Ignored when it is closed. */
void conn_set_timeout(struct conn *, uint32_t seconds);
/* struct timeouts.fire */
void conn_on_timeout(struct timeout *);

/* Closes at once; queued output is lost.  Idempotent. */
void conn_close(struct conn *);
/*
 * Closes the socket of a client whose peer is gone; the caller calls
 * conn_close() when the broker can be told of the ends of its subscriptions.
 */
void conn_lose(struct conn *);
/*
 * Closes when the queue has left, after a FIN and a short wait for the peer's
 * own end.  Input is discarded from now on.
 */
void conn_finish(struct conn *);

/* End of the turn: frees closed connections. */
void conn_reap(struct worker *);
/*
 * Output that is queued from now on waits until the messages to the broker up
 * to seq are safe.
 */
void conn_await(struct conn *, uint64_t seq);
/* Bytes that may be written now; SIZE_MAX: all. */
size_t conn_may_write(struct conn *);
/* The rest waits for conn_release(). */
void conn_defer(struct conn *);
/*
 * Everything up to seq is safe: output that waited leaves at the end of the
 * turn.
 */
void conn_release(struct worker *, uint64_t seq);
/* A connection whose output has waited since then (loop time); or NULL. */
struct conn *conn_overdue(struct worker *, double before);
/* The output that waits is replaced by these bytes, and the connection ends. */
void conn_answer_instead(struct conn *, struct str bytes);
/* Stops reading it: the peer can send until its window is full. */
void conn_deafen(struct conn *);
/* Watches the socket for the operations that are possible now. */
void conn_set_events(struct conn *);
static inline bool
conn_input_is(const struct conn *c, unsigned any)
{
	return (c->input & any) != 0;
}
static inline bool
conn_is_halted(const struct conn *c)
{
	return conn_input_is(c, INPUT_PAUSED | INPUT_STOPPED);
}
/* Moves it to one of the worker's lists, out of any other. */
void conn_move(struct conn *, struct list *);

#endif
