/* SPDX-License-Identifier: MIT */
#ifndef SHARED_IPC_EXIT_WATCH_H
#define SHARED_IPC_EXIT_WATCH_H

/*
 * When a child without clients exits: it ends its loop on SIGTERM and SIGQUIT,
 * and when the master is gone (EOF on the life line).
 */

#include <ev.h>

struct exit_watch {
	ev_signal term, quit;
	ev_io life;
};

/* life_fd: the reading end of a pipe that only the master can write to. */
void exit_watch_start(struct exit_watch *, struct ev_loop *, int life_fd);
void exit_watch_stop(struct exit_watch *, struct ev_loop *);

#endif
