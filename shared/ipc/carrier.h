/* SPDX-License-Identifier: MIT */
#ifndef SHARED_IPC_CARRIER_H
#define SHARED_IPC_CARRIER_H

/*
 * The bytes of a link, in and out: a Unix stream socket, and perhaps a ring
 * beside it (memring.h).  With a ring the socket carries nothing more, and
 * tells when the other process has closed it or has died.
 */

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "shared/base/outq.h"
#include "shared/ipc/memring.h"

struct carrier {
	int fd;                /* -1: closed */
	struct memring *ring;  /* or NULL */
	bool takes_ring;       /* the first bytes may offer one */
	bool by_ring;          /* the next bytes to read come from the ring */
	bool to_ring;          /* the next bytes to write go to the ring */
	bool gone;             /* nothing follows what is in the ring */
	bool bad;              /* because of a mistake of the other end */
	uint64_t nread, nsent; /* bytes, by the socket */
	struct ev_loop *loop;
	ev_io io, bell;
	/*
	 * revents: EV_READ, there may be bytes; EV_WRITE, there may be room.
	 * The last thing that a watcher's call does with the carrier.
	 */
	void (*on_event)(struct carrier *, int revents);
};

/* Takes the socket, and watches it for bytes. */
void carrier_init(struct carrier *, struct ev_loop *, int fd, int priority,
    void (*on_event)(struct carrier *, int revents));
/* Stops, closes, frees. */
void carrier_close(struct carrier *);
/*
 * Another process goes on with the ring, and the other end must see nothing of
 * this one's carrier_close().
 */
void carrier_let_go(struct carrier *);
/* Nothing more is taken from this end or from the other one. */
void carrier_shut(struct carrier *);

/* Which events of the socket to wait for. */
void carrier_watch(struct carrier *, bool readable, bool full);
/* on_event() comes soon, with EV_READ. */
void carrier_again(struct carrier *);
/* As recv(2): EAGAIN when there is nothing, 0 at the end. */
ssize_t carrier_read(struct carrier *, char *, size_t);
/* How many bytes are there; 0 also when that cannot be told. */
size_t carrier_ready(struct carrier *);
/* Finds out whether the other end has been closed. */
void carrier_look(struct carrier *);
/*
 * As outq_send(); a ring takes as much as it has room for, whatever max is.
 * late: see memring_send(); a socket always wakes the other end at once.  After
 * -1 the bytes that have come are still read, and then comes the end.
 */
int carrier_send(struct carrier *, struct outq *, size_t max, bool late);
/* Wakes the other end if it has not read everything. */
void carrier_wake(struct carrier *);
/* Waits until there may be room, at most so long; false: there is none. */
bool carrier_wait(struct carrier *, int ms);

/*
 * The end of a turn.  Returns `sleeps`, or false when there are bytes for which
 * no watcher comes: on_event() comes, and the process must not sleep.
 */
bool carrier_turn(struct carrier *, bool sleeps);
/*
 * Makes a ring, and offers it to the other end ahead of all other bytes.  All
 * goes by the socket if that fails, or if the other end cannot take it.
 */
void carrier_offer(struct carrier *);
/*
 * The ring of another process, which has written to it, and has read nread
 * bytes from the socket.
 */
void carrier_adopt(struct carrier *, struct memring *, uint64_t nread);

#endif
