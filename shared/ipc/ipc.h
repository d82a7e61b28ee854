/* SPDX-License-Identifier: MIT */
#ifndef SHARED_IPC_IPC_H
#define SHARED_IPC_IPC_H

/*
 * One end of a link: reads a Unix stream socket, cuts it into messages,
 * hands each to the handler of its type, and queues what is sent.  It knows
 * nothing of what a message means; roles give it a const table of handlers.
 *
 * Nothing is written before ipc_flush(), which a role calls once per turn of
 * its loop, so that many messages leave in one system call.
 */

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "shared/base/outq.h"
#include "shared/ipc/carrier.h"
#include "shared/ipc/ipc_msg.h"

struct ipc;

/* A message as it arrived. */
struct ipc_in {
	uint32_t type;
	struct str body;   /* the fields; valid until the handler returns */
	struct buf *b;     /* its place: [off, off + len), head included */
	uint32_t off, len; /* for passing it on unchanged */
};

/*
 * 0, or -1 when the message is malformed or invalid: the link is then reported
 * dead.  A handler may call ipc_close().
 */
typedef int (*ipc_handler)(void *owner, const struct ipc_in *);

struct ipc_ops {
	enum ipc_sender peer;        /* the role at the other end */
	const ipc_handler *handlers; /* IPC_NTYPES of them; NULL = refuse */
	/*
	 * The link is over: EOF, error, or bad bytes (`why`, a static
	 * sentence).  Called once, from the loop; the owner calls ipc_close().
	 */
	void (*on_dead)(void *owner, const char *why);
	/* The queue has just become empty; may be NULL. */
	void (*on_drained)(void *owner);
	/*
	 * Something can be read, or the link goes on: soon calls ipc_read() and
	 * ipc_dispatch().  NULL: messages are dispatched as they come.
	 */
	void (*on_input)(void *owner);
	int priority; /* of its watcher, see ev_set_priority() */
};

struct ipc {
	struct carrier carrier;
	bool dead;     /* on_dead has been called */
	bool ended;    /* the other end has closed it, or has died */
	bool blocked;  /* the carrier is full; goes on when it has room */
	bool paused;   /* nothing is read or dispatched */
	bool waiting;  /* messages may have been read before the pause */
	bool error;    /* and that was an error */
	bool deferred; /* the present message comes again */
	bool rests;    /* nothing is dispatched, unless it is drained */
	bool overlong; /* a message to send is over IPC_MAX_MESSAGE */
	bool sink;     /* nobody is there: what is sent is dropped */
	bool places;   /* each flush begins with PLACE */
	bool quiet;    /* a write that fails is handled later, by the loop */
	const struct ipc_ops *ops;
	void *owner;
	struct buf *in;   /* bytes read; shared with messages passed on */
	uint32_t in_off;  /* first byte not yet dispatched */
	struct buf *tail; /* small messages are written next to each other */
	char *place;      /* in the queue: PLACE of the next flush; or NULL */
	struct outq out;
	uint64_t nin, nout; /* messages; nout without PLACE */
	uint64_t nread;     /* bytes */
};

/* Takes the descriptor and starts reading. */
void ipc_init(struct ipc *, struct ev_loop *, int fd, const struct ipc_ops *,
    void *owner);
/* A link to nobody, for a worker of another host. */
void ipc_init_sink(struct ipc *);
/* Stops, closes, frees; harmless when closed already. */
void ipc_close(struct ipc *);
static inline bool
ipc_is_open(const struct ipc *l)
{
	return l->carrier.fd != -1 && !l->dead;
}

/*
 * Reads until EOF or EAGAIN and dispatches it, without waiting: for the last
 * messages of a peer that died.
 */
void ipc_drain_input(struct ipc *);
/*
 * The end of each turn of the loop; sleeps: the process will sleep until
 * something comes.  Returns that, or false when something has come already: it
 * is read soon, and the process must not sleep.
 */
bool ipc_turn(struct ipc *, bool sleeps);
/*
 * Stops reading and dispatching, also from a handler: the next message waits.
 * ipc_resume() continues from the loop, not at once.
 */
void ipc_pause(struct ipc *);
void ipc_resume(struct ipc *);
/*
 * ipc_pause(), and the present message waits, too: after ipc_resume() its
 * handler gets it as if for the first time.
 */
void ipc_defer(struct ipc *);
/*
 * From a handler: the messages after the present one wait for ipc_go_on(), but
 * not for it when the link is read to its end.
 */
static inline void
ipc_rest(struct ipc *l)
{
	l->rests = l->waiting = true;
}

/* False: it does not rest.  True: continues from the loop. */
bool ipc_go_on(struct ipc *);
/*
 * For a link with on_input.  Reads all that the other end has sent until now,
 * however large the buffer of the kernel is, and dispatches nothing.
 */
void ipc_read(struct ipc *);
/* The next message, unless its link is paused; false: it is not complete. */
bool ipc_next(const struct ipc *, struct ipc_in *);
/* The other end has closed it, and everything has been read. */
bool ipc_has_ended(const struct ipc *);
/* Dispatches what has been read, up to a message that a handler holds. */
void ipc_dispatch(struct ipc *);
/* From a handler: the present message comes again in the next ipc_dispatch().
 */
static inline void
ipc_hold(struct ipc *l)
{
	l->deferred = true;
}

/* The queued messages have their PLACE; later ones get a later one. */
void ipc_close_place(struct ipc *);
/* Room for one message of n bytes in the queue; the caller fills it. */
char *ipc_reserve(struct ipc *, size_t n);
/* Queues a received message unchanged: a reference, no copy. */
void ipc_pass(struct ipc *, const struct ipc_in *);
/*
 * Queues a finished message that the caller keeps, too (for resending): the
 * bytes [off, off + len) of b.
 */
void ipc_queue(struct ipc *, struct buf *b, uint32_t off, uint32_t len);
/*
 * Writes as much as the carrier takes.  If bytes are left: starts the write
 * watcher and continues by itself.  late: a ring does not wake the other end,
 * and the caller calls ipc_wake() soon.
 */
void ipc_send_queue(struct ipc *, bool late);
static inline void
ipc_flush(struct ipc *l)
{
	ipc_send_queue(l, false);
}

/* Ends the sleep of another end that has not read everything. */
void ipc_wake(struct ipc *);
/* Waits until the socket takes bytes, at most so long, and writes. */
void ipc_wait(struct ipc *, int ms);

/* Positions in the outgoing stream, in bytes. */
static inline uint64_t
ipc_queued(const struct ipc *l)
{
	return l->out.in;
}

static inline uint64_t
ipc_sent(const struct ipc *l)
{
	return l->out.out;
}

/* ipc_send_sub(link, &msg): queues a copy. */
#define MSG(name, NAME, sender) \
	static inline void ipc_send_##name( \
	    struct ipc *l, const struct msg_##name *m) \
	{ \
		msg_##name##_put(ipc_reserve(l, msg_##name##_size(m)), m); \
	}
#include "shared/ipc/ipc_msgs.def"

#endif
