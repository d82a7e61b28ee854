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
#include "worker/conn/timeout.h"

struct app;
struct conn;
struct http;
struct marks;
struct client_member;
struct pace;
struct client_session;
struct signin;
struct transport;
struct worker;
struct ws_part;

struct conn_ops {
	/*
	 * Bytes from the peer (writable: unmasking happens in place).  Returns
	 * how many were used up; the rest is given again with more behind it.
	 * It may close the connection, and then returns anything.
	 */
	size_t (*feed)(struct conn *, char *bytes, size_t n);
	/* The timeout that was set has passed. */
	void (*on_timeout)(struct conn *);
	/* The connection is being closed: free what you own. */
	void (*on_close)(struct conn *);
	/*
	 * It reads too slowly (conf->client_buffer): say goodbye, at the end
	 * of the queue, and leave everything.  NULL: it is just closed.
	 */
	void (*on_slow)(struct conn *);
	/* A peer that sent FIN may still wait for what is queued. */
	bool half_close;
	/* Bytes that are read after our goodbye at most; 0: all. */
	uint32_t unheard_max;
};

#define CONN_FINISH_SECONDS 3 /* for the peer's FIN after ours */

/* Its life, in this order; only PEER_ENDED and CLOSING may be left out. */
enum conn_state {
	CONN_OPEN,
	CONN_CLOSING,    /* a WebSocket close frame is out */
	CONN_FINISHING,  /* no more input counts; closed when flushed */
	CONN_PEER_ENDED, /* likewise, and the peer will send no more */
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
	BACKLOG_OVER, /* in w->slow, to be checked at the end of the turn */
	BACKLOG_SLOW  /* reads too slowly; takes no more output */
};

/* At the broker. */
enum conn_admission {
	ADMISSION_NONE,
	ADMISSION_PENDING, /* CONN_OPEN waits for CONN_OK */
	ADMISSION_DONE     /* the broker knows it: CONN_CLOSE is owed */
};

struct conn {
	ev_io io;
	const struct conn_ops *ops;
	struct worker *w;
	struct outq out;
	struct buf *in;     /* bytes not used up yet; usually NULL */
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
	struct pace *pace;          /* how fast it sends; NULL: never limited */
	struct signin *signins;     /* not answered yet, oldest first */
	struct client_session *session; /* resumable; or NULL */
	double blocked_at; /* since when the socket takes nothing */
	double over_since; /* its queue is over the limit; 0: it is not */
	uint32_t owed;     /* bytes of the queue that it has asked for */
	uint32_t nsubs;
	uint32_t asked; /* questions at the broker; see worker/conn/input.h */
	uint32_t messages_in; /* modulo 2^32 */
	uint64_t packed_id;   /* the last compressed message it was sent */
	int64_t saved;        /* bytes, by compression */
	uint16_t close_code;  /* of our close frame, for the log */
	uint8_t window_bits;  /* its window; 0: no permessage-deflate */
	uint32_t magic;       /* MAGIC_CONN while it lives */
	uint32_t unheard;     /* bytes that came after our goodbye */

	uint8_t serves; /* enum listen_role: its permissions */
	enum conn_state state : 3;
	enum conn_peer peer : 2;
	enum conn_backlog backlog : 2;
	enum conn_admission admission : 2;
	bool waits : 1;      /* for its refusal: refused_late() */
	bool paused : 1;     /* do not feed until input_resume() */
	bool stopped : 1;    /* nor until input_go(); see worker/conn/input.h */
	bool in_line : 1;    /* in w->input */
	bool blocked : 1;    /* the socket is full; write watcher runs */
	bool feeding : 1;    /* inside ops->feed */
	bool pinged : 1;     /* a ping waits for its pong */
	bool greeted : 1;    /* connection_established is out */
	bool authorized : 1; /* signed in, or in a private channel */
	bool signed_in : 1;  /* a sign-in has been answered */
	bool broke : 1;      /* it has left, and may come back by its session */
	bool peer_closed : 1;    /* the peer's close frame came first */
	bool close_counted : 1;  /* see conn_record_close() */
	bool deaf : 1;           /* not read any more */
	bool bad_session : 1;    /* the session that it names is ignored */
	bool window_asked : 1;   /* it asked for that window */
	bool self_contained : 1; /* it wants no context between messages */
	bool parting : 1; /* closed once it has answered, see ws_part_with() */
};

/*
 * The connection that a list, a table or a callback leads to.  Code that
 * outlives a turn keeps a socket id and calls conn_find(); only the parts of a
 * connection point at it.
 */
static inline struct conn *
conn_living(struct conn *c)
{
	assert(c->magic == MAGIC_CONN);
	return c;
}
#define CONN_OF(p, member) conn_living(container_of(p, struct conn, member))

/* It says goodbye, or is gone: no event and no answer is for it any more. */
static inline bool
conn_is_ending(const struct conn *c)
{
	return c->state >= CONN_CLOSING;
}

/* The id by which the rest of the system names the connection. */
static inline uint64_t
conn_sid(const struct conn *c)
{
	return c->node.hash;
}

/* For input_open(), which gives it its socket. */
struct conn *conn_new(struct worker *, const struct conn_ops *);
/* Gives it a socket id that cannot be guessed; takes the id away. */
void conn_name(struct conn *);
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

/* It is a WebSocket client of an app: into w->clients. */
void conn_enlist(struct conn *);
/*
 * Out of w->clients; the only way out of there.  Harmless when it is not in
 * it.
 */
void conn_delist(struct conn *);

/*
 * Queues bytes for the end of the turn.  A client whose queue grows above
 * conf->client_buffer is judged then: see output.h.  Ignored when closed or
 * finishing.
 */
void conn_queue(struct conn *, struct buf *, uint32_t off, uint32_t len);
void conn_queue_bytes(struct conn *, struct str);
/* The answer to a question of the client: the limit does not count it. */
void conn_queue_answer(struct conn *, struct str);
/* Queues what was built in worker_scratch(). */
void conn_queue_scratch(struct conn *);
/* The same, also for a client that reads too slowly. */
void conn_queue_goodbye(struct conn *);

/* A client is on its way out, for good: counts it, once. */
void conn_record_close(struct conn *, unsigned code, struct str reason);

/* Its timeout, which calls ops->on_timeout.  Ignored when it is closed. */
void conn_set_timeout(struct conn *, uint32_t seconds);
/* struct timeouts.fire */
void conn_on_timeout(struct timeout *);

/* Closes at once; output that is still queued is lost.  Idempotent. */
void conn_close(struct conn *);
/*
 * Closes once the queue has left, having told the peer (FIN) and waited a
 * little for its own end.  Input is thrown away from now on.
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
void conn_hold(struct conn *);
/* Safe up to this seq: output that waited leaves at the end of the turn. */
void conn_release(struct worker *, uint64_t seq);
/* Stops reading it: it can send until its window is full. */
void conn_deafen(struct conn *);
/* Watches the socket for what the connection can do now. */
void conn_set_events(struct conn *);
static inline bool
conn_is_halted(const struct conn *c)
{
	return c->paused || c->stopped;
}
/* Puts it into one of the worker's lists, out of any other. */
void conn_move(struct conn *, struct list *);

#endif
