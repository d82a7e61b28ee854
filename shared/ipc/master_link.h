/* SPDX-License-Identifier: MIT */
#ifndef SHARED_IPC_MASTER_LINK_H
#define SHARED_IPC_MASTER_LINK_H

/*
 * A child's end of the link to the master: all roles handle an order (the
 * configuration, the log), and each has callbacks for its own part.
 */

#include <ev.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/ipc/ipc_msg.h"

struct conf;

enum drain_how { DRAIN_STOP, DRAIN_RETIRE, DRAIN_END, DRAIN_SPREAD };

struct master_link_ops {
	/*
	 * conf has the new values already.  fds belong to the callee: one for
	 * each of the message's listeners.  Returns NULL, or a sentence about
	 * the failure (free(3) it).  May be NULL.
	 */
	char *(*on_reconf)(void *owner, const struct msg_reconf *,
	    const int *fds, size_t nfds);
	/* NULL: not for this role. */
	void (*on_drain)(void *owner, const struct msg_drain *);
	void (*on_reply)(void *owner, const struct msg_master_reply *);
	/* fd: a link to the broker, now the callee's; -1: not now. */
	void (*on_link)(void *owner, int fd);
	/* fd: the process that takes the slot over; the callee's. */
	void (*on_move)(void *owner, const struct msg_move_out *, int fd);
	/* fd: the worker that gives up its slot; the callee's. */
	void (*on_move_in)(void *owner, const struct msg_move_in *, int fd);
};

struct master_link {
	ev_io io;
	struct conf *conf; /* the struct conf of the whole process */
	const struct master_link_ops *ops;
	void *owner;
};

/* Begins to receive orders; fd -1: there is no master (tests). */
void master_link_start(struct master_link *, struct ev_loop *, int fd,
    struct conf *, const struct master_link_ops *, void *owner);
/* Handles all orders that have arrived, without waiting. */
void master_link_take_all(struct master_link *);
void master_link_stop(struct master_link *, struct ev_loop *);
/* The result of MOVE_OUT.  0, or -1 with errno. */
int master_link_moved(struct master_link *, const struct msg_moved *);
/* Reports that all clients have been sent away.  0, or -1 with errno. */
int master_link_drained(struct master_link *);
/* Asks the master for another link to the broker.  0, or -1 with errno. */
int master_link_ask_link(struct master_link *);
/* Sends a request to the master.  0, or -1 with errno. */
int master_link_ask(struct master_link *, const struct msg_master_request *);

#endif
