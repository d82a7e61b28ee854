/* SPDX-License-Identifier: MIT */
#ifndef SHARED_NET_DOOR_H
#define SHARED_NET_DOOR_H

/*
 * A listening socket of the broker.  When the process is out of descriptors it
 * is not polled for a moment, because a level-triggered loop would spin on it
 * (libev manual, "The special problem of accept()ing when you can't").
 */

#include <ev.h>
#include <stdbool.h>

struct door {
	ev_io io;
	ev_timer pause; /* until accepting is tried again */
	struct ev_loop *loop;
	const char *name; /* for the log */
	int spare;        /* the reserved descriptor, or -1 */
	bool reserves;    /* a reserve is wanted */
	bool held;        /* by door_hold() */
};

/* name: a static word for the log; calls cb when a connection waits. */
void door_init(struct door *, struct ev_loop *, const char *name,
    void (*cb)(struct ev_loop *, ev_io *, int));
/*
 * Begins to accept on this descriptor.  reserve: one descriptor is reserved for
 * a connection that comes when all others are in use.
 */
void door_open(struct door *, int fd, bool reserve);
/* Stops; the descriptor stays the caller's. */
void door_close(struct door *);
/* The next connection, or -1: there is none, or none can be taken now. */
int door_accept(struct door *);
/* A descriptor has become free: restores the reserve first. */
void door_refill(struct door *);
/* Accepts nothing until door_resume(). */
void door_hold(struct door *);
void door_resume(struct door *);

#endif
