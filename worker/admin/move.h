/* SPDX-License-Identifier: MIT */
#ifndef WORKER_ADMIN_MOVE_H
#define WORKER_ADMIN_MOVE_H

/*
 * The hand-over of this slot's clients to another process: to a new one, which
 * gets the link to the broker, too, or to the worker in another slot, the
 * receiver.  See move.c.
 */

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/buf.h"
#include "shared/base/outq.h"
#include "shared/base/str.h"
#include "shared/ipc/ipc_msg.h"

struct memring;
struct conn;
struct load;
struct pump;
struct worker;

struct move {
	struct worker *w;
	int fd; /* to the other process; -1: none */
	ev_io io;
	ev_timer late;
	uint64_t id; /* of the order; 0: this process takes over */
	uint32_t linger;
	uint32_t bulky;    /* clients that were closed: see COPIES_MAX */
	uint32_t receiver; /* its slot; MOVE_NEW: the other process is new */
	bool wanted;       /* the other process is ready */
	bool merges;       /* this process is the receiver */
	uint32_t from;     /* of the worker in this slot */
	bool asked;        /* the broker for the mark (MERGE) */
	bool marked;       /* it has come */
	uint64_t marked_us;
	bool expired;    /* while the broker was asked */
	bool over;       /* the slot is the other one's */
	uint64_t heap;   /* bytes that are allocated */
	uint64_t *ahead; /* socket ids: their sockets go ahead */
	uint32_t nahead, ahead_at;
	/* In a process that takes over: what has come. */
	int *sockets; /* by their numbers; -1: none */
	uint32_t nsockets;
	struct buf *image; /* what has not been read */
	uint64_t missing;  /* bytes of it */
	uint32_t conns;    /* in it */
	struct load *load;
	struct pump *pump;  /* TLS that is spoken here for the other one */
	uint64_t *starting; /* socket ids: not read yet (move_start.c) */
	uint32_t nstarting, started;
};

#define MOVE_NEW UINT32_MAX
#define MOVE_SOCKETS_MAX 64u /* in one datagram */

/* The state that is handed over: bytes, and sockets that are not there yet. */
struct move_image {
	struct outq bytes;
	int *fds;
	uint32_t nfds, conns, subs;
	uint32_t lingering; /* connections whose TLS stays here */
};

/* In a process that takes over: begins with it. */
void move_init(struct worker *);
/* Cuts one message off *in: its type and body.  False: there is none. */
bool move_cut(struct str *in, uint32_t *type, struct str *body);
/* The type of a datagram that is one message of ours; false: it is none. */
bool move_datagram(struct str, uint32_t *type);
/* Handler of MOVE_OUT; fd leads to the other process. */
void move_out(void *worker, const struct msg_move_out *, int fd);
/* Handler of MOVE_IN: this worker takes the clients of the other one, too. */
void move_in(void *worker, const struct msg_move_in *, int fd);
/* Handler of MERGE. */
int move_on_merge(struct worker *, const struct msg_merge *);
/* The mark has come to the receiver. */
void move_in_mark(struct worker *, uint32_t slot);
/* The end of a turn: hands over when nothing is on its way. */
void move_turn(struct worker *);
/* The same, of a receiver: has its broker died? */
void move_in_turn(struct worker *);
/* The slot is the other one's: forgets all without a word to anybody. */
void move_let_go(struct worker *);

/* Writes down everything; NULL, or why not.  Descriptors stay whose they are.
 */
const char *move_save(struct worker *, struct move_image *);
void move_image_clear(struct move_image *);
/*
 * Sends all of it, and waits for MOVE_READY until then, at most.  NULL, or why
 * the other process does not take it, perhaps in room.
 */
const char *move_send(
    struct move *, struct move_image *, uint64_t until_us, char room[1024]);

/* Sends these sockets, MOVE_SOCKETS_MAX at most.  0, or -1 with errno. */
int move_sockets_send(struct move *, const int *fds, size_t n);
/* The sockets of all clients go ahead; true: some have not left. */
void move_sockets_begin(struct move *);
bool move_sockets_more(struct move *);
void move_sockets_end(struct move *);
/*
 * They have come.  The caller owns none of them any more.  False: the numbers
 * are wrong.
 */
bool move_sockets_take(
    struct move *, struct str numbers, const int *fds, size_t n);
bool move_sockets_has(const struct move *, uint32_t number);
/* It is there, and is the caller's from now on. */
int move_sockets_get(struct move *, uint32_t number);
/* The ring of the link, NULL if there is none; false: it is not there. */
bool move_sockets_ring(
    struct move *, const struct msg_move_link *, struct memring **);
/* Those that nobody got. */
void move_sockets_close(struct move *);

/* For an image of at most so many connections. */
struct load *move_load_new(struct worker *, uint32_t conns);
/*
 * Makes everything from what there is of the image, and cuts it off *image:
 * NULL, or a sentence on what is wrong.  whole: no more will come.
 */
const char *move_load_more(struct load *, struct str *image, bool whole);
/*
 * The socket of the link, when the image is whole, is the caller's from now
 * on; the message about it.
 */
int move_load_link(struct load *, struct str *message, struct memring **);
/* They begin to live: they get events from now on.  Returns their number. */
uint32_t move_load_start(struct load *);
void move_load_free(struct load *);
/* The link, in a new process, is this one; message: about it. */
void move_adopt_link(
    struct worker *, struct str message, int fd, struct memring *);
/* These connections begin to live: they get events from now on. */
void move_start(struct worker *, struct conn **made, uint32_t n);
/* The end of a turn: reads some more of them; true: others are left. */
bool move_start_more(struct worker *);
void move_clear(struct worker *);

#endif
