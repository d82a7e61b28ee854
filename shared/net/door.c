/* SPDX-License-Identifier: MIT */
/*
 * door.c: accepts on a listening socket of the broker.  Owns the pause while
 * the process is out of descriptors, and one reserved descriptor: it is given
 * up for a connection that comes then, and taken back when a descriptor is
 * free.  So pusherctl can ask a broker that can open nothing.  Must never spin,
 * and never close the listening socket.
 */

#include "shared/net/door.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "shared/base/base.h"
#include "shared/base/log.h"
#include "shared/net/sock.h"

#define PAUSE_SECONDS 0.1

static void
on_pause_over(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct door *d = container_of(timer, struct door, pause);

	door_refill(d);
	if (!d->held)
		ev_io_start(loop, &d->io);
}

void
door_init(struct door *d, struct ev_loop *loop, const char *name,
    void (*cb)(struct ev_loop *, ev_io *, int))
{
	*d = (struct door){ .loop = loop, .name = name, .spare = -1 };
	ev_init(&d->io, cb);
	ev_timer_init(&d->pause, on_pause_over, 0., 0.);
}

void
door_open(struct door *d, int fd, bool reserve)
{
	ev_io_set(&d->io, fd, EV_READ);
	ev_io_start(d->loop, &d->io);
	d->reserves = reserve;
	door_refill(d);
}

void
door_close(struct door *d)
{
	ev_io_stop(d->loop, &d->io);
	ev_timer_stop(d->loop, &d->pause);
	if (d->spare != -1)
		close(d->spare);
	d->spare = -1;
	d->reserves = false;
}

static bool
is_out(int err)
{
	return err == EMFILE || err == ENFILE || err == ENOBUFS ||
	    err == ENOMEM;
}

/* Uses the reserved descriptor. */
static int
accept_with_spare(struct door *d)
{
	int fd;

	if (d->spare == -1)
		return -1;
	close(d->spare);
	d->spare = -1;
	fd = sock_accept(d->io.fd, NULL);
	if (fd == -1) {
		int saved = errno;

		door_refill(d);
		errno = saved;
	}
	return fd;
}

int
door_accept(struct door *d)
{
	int fd = sock_accept(d->io.fd, NULL);

	if (fd == -1 && is_out(errno))
		fd = accept_with_spare(d);
	if (fd != -1 || errno == EAGAIN || errno == EINTR ||
	    errno == ECONNABORTED)
		return fd;
	log_warn("%s: accept paused", d->name);
	ev_io_stop(d->loop, &d->io);
	ev_timer_set(&d->pause, PAUSE_SECONDS, 0.);
	ev_timer_start(d->loop, &d->pause);
	return -1;
}

void
door_refill(struct door *d)
{
	if (d->reserves && d->spare == -1)
		d->spare = fcntl(d->io.fd, F_DUPFD_CLOEXEC, 0);
}

void
door_hold(struct door *d)
{
	d->held = true;
	ev_io_stop(d->loop, &d->io);
}

void
door_resume(struct door *d)
{
	d->held = false;
	if (!ev_is_active(&d->pause))
		ev_io_start(d->loop, &d->io);
}
