/* SPDX-License-Identifier: MIT */
#ifndef WORKER_ADMIN_DRAIN_H
#define WORKER_ADMIN_DRAIN_H

/* Sends all clients away, in order and without a stampede. */

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct worker;

struct drain {
	ev_timer timer; /* the next portion */
	bool on;        /* drain_start() or drain_retire() has been called */
	bool telling;   /* drain_tell(): the process stays */
	bool retiring;
	bool stopping;     /* the whole group leaves: newcomers are held */
	bool together;     /* the whole group leaves, and the broker too */
	bool told;         /* the master knows that nobody is left but them */
	bool last;         /* it is time for them, too */
	bool few;          /* all are told at once, to come back in a second */
	double began, end; /* worker_now(): by `end` all have been told */
	double grace;      /* seconds behind it for peers to answer */
	double quiet_at;   /* since when only newcomers are here; or 0 */
	double alone_at;   /* since when nobody is here; or 0 */
	uint64_t *sids;    /* whom to tell, in this order */
	size_t n, next;
};

void drain_init(struct worker *);
void drain_free(struct worker *);
/*
 * Stops accepting and closes all clients over so many seconds: first those
 * without subscriptions, among them and then among the others those that
 * have been silent for longest.  WebSocket clients get 4200.
 */
void drain_start(struct worker *, double seconds);
/*
 * The same when the whole group leaves.  Whoever connects meanwhile is held
 * without a greeting (spread: a few are not told at once): a client whose
 * connection is refused by the system may wait 15 seconds.  When nobody else is
 * left the master is told.
 */
void drain_stop(struct worker *, double seconds, bool spread);
/* All workers are that far: newcomers get 4100, and the process leaves. */
void drain_end(struct worker *);
/*
 * The same for a slot that is given up while the others go on: who still
 * comes here is served, and then sent to them.
 */
void drain_retire(struct worker *, double seconds);
/* The same, at once or sooner than it was told. */
void drain_hurry(struct worker *, double seconds);
/*
 * Closes with 4200 those who are there now, over so many seconds; the process
 * goes on and serves whoever comes.
 */
void drain_tell(struct worker *, double seconds);
/* Nobody is left, and nothing is left to hand over: the process may leave. */
bool drain_is_over(struct worker *);
/* Handler of MISSED: this worker's clients lack events. */
int drain_on_missed(struct worker *);

#endif
