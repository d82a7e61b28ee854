/* SPDX-License-Identifier: MIT */
#ifndef WORKER_CONN_LISTENER_H
#define WORKER_CONN_LISTENER_H

/*
 * Accepts connections: a bounded number in a turn, and a pause when the
 * process is out of descriptors (libev manual, "The special problem of
 * accept()ing when you can't").
 */

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct worker;

struct listener {
	ev_io io;
	uint32_t id; /* the master's name for it */
	struct worker *w;
	uint8_t serves; /* enum listen_role of its connections */
	bool tls, proxy_protocol;
	bool local; /* a Unix socket: every peer is trusted */
};

struct listeners {
	struct listener **v;
	size_t n;
	bool started;     /* listener_start() has been called */
	bool on;          /* started, and not out of descriptors */
	ev_timer pause;   /* until accepting is tried again */
	unsigned evicted; /* for newcomers, since the log was told: */
	double logged_at;
};

/* Prepares the sockets of inherit->listen_fds; does not accept yet. */
void listener_init(struct worker *);
/*
 * Another configuration: takes the descriptors.  Clients in the queue of a
 * removed listener are accepted first; its clients stay.
 */
void listener_replace(
    struct worker *, const int *fds, const uint32_t *ids, size_t n);
void listener_start(struct worker *);
/* Stops accepting; the sockets stay open (they are the master's too). */
void listener_stop(struct worker *);
/* Accepts the waiting clients, once, outside the loop. */
void listener_take_all(struct worker *);
void listener_free(struct worker *);

#endif
