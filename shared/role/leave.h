/* SPDX-License-Identifier: MIT */
#ifndef SHARED_ROLE_LEAVE_H
#define SHARED_ROLE_LEAVE_H

/*
 * When a child without clients leaves: it ends its loop on SIGTERM and
 * SIGQUIT, and when the master is gone (EOF on the life line).
 */

#include <ev.h>

struct leave {
	ev_signal term, quit;
	ev_io life;
};

/* life_fd: the reading end of a pipe that only the master can write to. */
void leave_start(struct leave *, struct ev_loop *, int life_fd);
void leave_stop(struct leave *, struct ev_loop *);

#endif
