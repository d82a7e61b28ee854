/* SPDX-License-Identifier: MIT */
#ifndef SHARED_IPC_MASTER_LINK_H
#define SHARED_IPC_MASTER_LINK_H

/*
 * A child's end of the link to the master: all roles handle an order
 * (the configuration, the log), and what each does besides.
 */

#include <ev.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/ipc/ipc_msg.h"

struct conf;

enum drain_how { DRAIN_STOP, DRAIN_RETIRE, DRAIN_END, DRAIN_SPREAD };

struct master_link_ops {
	/*
	 * conf holds the new values already.  fds belong to the callee: one
	 * for each of the message's listeners.  Returns NULL, or a sentence
	 * on what has failed (free(3) it).  May be NULL.
	 */
	char *(*on_reconf)(void *owner, const struct msg_reconf *,
	    const int *fds, size_t nfds);
	/* NULL: not for this role. */
	void (*on_drain)(void *owner, const struct msg_drain *);
	void (*on_reply)(void *owner, const struct msg_master_reply *);
	/* fd: a link to the broker, now the callee's; -1: not now. */
	void (*on_link)(void *owner, int fd);
};

struct master_link {
	ev_io io;
	struct conf *conf; /* the one that the whole process looks at */
	const struct master_link_ops *ops;
	void *owner;
};

/* Begins to obey; fd -1: nobody gives orders (tests). */
void master_link_start(struct master_link *, struct ev_loop *, int fd,
    struct conf *, const struct master_link_ops *, void *owner);
/* Obeys all that have come, without waiting. */
void master_link_take_all(struct master_link *);
void master_link_stop(struct master_link *, struct ev_loop *);
/* All clients have been sent away.  0, or -1 with errno. */
int master_link_drained(struct master_link *, uint32_t held);
/* Asks the master for another link to the broker.  0, or -1 with errno. */
int orders_ask_link(struct master_link *);
/* Asks the master.  0, or -1 with errno when it cannot be asked. */
int master_link_ask(struct master_link *, const struct msg_master_request *);

#endif
