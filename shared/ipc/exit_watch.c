/* SPDX-License-Identifier: MIT */
/*
 * exit_watch.c: ends the loop of a process whose work is over.  Owns no
 * descriptor.  Must never end the process itself: queued bytes must still
 * leave.
 */

#include "shared/ipc/exit_watch.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "shared/base/log.h"

static void
on_life(struct ev_loop *loop, ev_io *w, int revents)
{
	char byte;

	if (read(w->fd, &byte, 1) == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	log_warnx("the master is gone");
	ev_io_stop(loop, w);
	ev_break(loop, EVBREAK_ALL);
}

static void
on_signal(struct ev_loop *loop, ev_signal *w, int revents)
{
	ev_break(loop, EVBREAK_ALL);
}

void
exit_watch_start(struct exit_watch *l, struct ev_loop *loop, int life_fd)
{
	ev_signal_init(&l->term, on_signal, SIGTERM);
	ev_signal_start(loop, &l->term);
	ev_signal_init(&l->quit, on_signal, SIGQUIT);
	ev_signal_start(loop, &l->quit);
	ev_io_init(&l->life, on_life, life_fd, EV_READ);
	ev_io_start(loop, &l->life);
}

void
exit_watch_stop(struct exit_watch *l, struct ev_loop *loop)
{
	ev_signal_stop(loop, &l->term);
	ev_signal_stop(loop, &l->quit);
	ev_io_stop(loop, &l->life);
}
