/* SPDX-License-Identifier: MIT */
#ifndef WORKER_ADMIN_DRAIN_H
#define WORKER_ADMIN_DRAIN_H

/* Sends all clients away gracefully and without a stampede. */

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct worker;

/* Most often the other processes of an upgrade have been replaced by then. */
#define DRAIN_SETTLE_SECONDS 5.

struct drain {
	ev_timer timer; /* the next portion */
	ev_timer linger;
	bool on;      /* drain_start() or drain_retire() has been called */
	bool telling; /* it closes some clients only, and the process stays */
	bool held;    /* … and not now: a hand-over waits for those told */
	bool retiring;
	bool stopping;     /* the whole group exits: newcomers wait */
	bool together;     /* the whole group exits, and the broker too */
	bool reported;     /* the master knows that only they are left */
	bool last;         /* the newcomers are closed now */
	bool few;          /* all are told at once, to reconnect in a second */
	double began, end; /* worker_now(): by `end` all have been told */
	double grace;      /* seconds after it for peers to answer */
	double quiet_at;   /* since then only newcomers are here; or 0 */
	double alone_at;   /* since then no client is here; or 0 */
	uint64_t *sids;    /* clients to tell, in this order */
	size_t n, next;
};

void drain_init(struct worker *);
void drain_free(struct worker *);
/*
 * Stops accepting and closes all clients over this number of seconds: first
 * those without subscriptions, then the others; among each those that have been
 * silent longest first.  WebSocket clients get 4200.
 */
void drain_start(struct worker *, double seconds);
/*
 * The same when the whole group stops.  A client that connects meanwhile is
 * held without a greeting (spread: a few are not told at once): a client whose
 * connection the system refuses may wait 15 seconds.  When no other client is
 * left the master is told.
 */
void drain_stop(struct worker *, double seconds, bool spread);
/*
 * All workers have told their clients: new clients get 4100, and the process
 * exits.
 */
void drain_end(struct worker *);
/*
 * The same for a slot that is given up while the others continue: clients
 * that still connect here are served, and then sent to the others.
 */
void drain_retire(struct worker *, double seconds);
/* Ends it at once, or sooner than it was begun with. */
void drain_hurry(struct worker *, double seconds);
/*
 * The host leaves its cluster: closes all clients over drain_time, with 4200.
 */
void drain_leave(struct worker *);
/*
 * Closes each client whose TLS is another process's with 4200, before that
 * process ends.
 */
void drain_lingering(struct worker *);
/* So many seconds before that it begins. */
double drain_lingering_seconds(const struct worker *);
/* No client and no unacknowledged message is left: the process may exit. */
bool drain_is_over(struct worker *);
/*
 * This worker's clients, if there are any, lack events.  They are closed at
 * once: the events that follow can be in another order than those they have.
 */
void drain_on_missed(struct worker *);

#endif
