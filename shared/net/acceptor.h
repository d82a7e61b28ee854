/* SPDX-License-Identifier: MIT */
#ifndef SHARED_NET_ACCEPTOR_H
#define SHARED_NET_ACCEPTOR_H

/*
 * A listening socket of the broker.  When the process is out of descriptors it
 * is not polled for a moment, because a level-triggered loop would spin on it
 * (libev manual, "The special problem of accept()ing when you can't").
 */

#include <ev.h>
#include <stdbool.h>

struct acceptor {
	ev_io io;
	ev_timer retry; /* until accepting is tried again */
	struct ev_loop *loop;
	const char *name; /* for the log */
	int spare;        /* the reserved descriptor, or -1 */
	bool reserves;    /* a reserve is wanted */
	bool paused;      /* by acceptor_pause() */
};

/* name: a static word for the log; calls cb when a connection waits. */
void acceptor_init(struct acceptor *, struct ev_loop *, const char *name,
    void (*cb)(struct ev_loop *, ev_io *, int));
/*
 * Begins to accept on this descriptor.  reserve: one descriptor is reserved for
 * a connection that comes when all others are in use.
 */
void acceptor_open(struct acceptor *, int fd, bool reserve);
/* Stops; the descriptor stays the caller's. */
void acceptor_close(struct acceptor *);
/* The next connection, or -1: there is none, or none can be taken now. */
int acceptor_accept(struct acceptor *);
/* A descriptor has become free: restores the reserve first. */
void acceptor_refill(struct acceptor *);
/* Accepts nothing until acceptor_resume(). */
void acceptor_pause(struct acceptor *);
void acceptor_resume(struct acceptor *);

#endif
