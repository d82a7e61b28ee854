/* SPDX-License-Identifier: MIT */
/*
 * acceptor.c: accepts on a listening socket of the broker.  Owns the pause
 * while the process is out of descriptors, and one reserved descriptor: it is
 * given up for a connection that comes then, and taken back when a descriptor
 * is free.  So pusherctl can ask a broker that can open nothing.  Must never
 * spin, and never close the listening socket.
 */

#include "shared/net/acceptor.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "shared/base/base.h"
#include "shared/base/log.h"
#include "shared/net/sock.h"

#define RETRY_SECONDS 0.1

static void
on_retry(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct acceptor *a = container_of(timer, struct acceptor, retry);

	acceptor_refill(a);
	if (!a->paused)
		ev_io_start(loop, &a->io);
}

void
acceptor_init(struct acceptor *a, struct ev_loop *loop, const char *name,
    void (*cb)(struct ev_loop *, ev_io *, int))
{
	*a = (struct acceptor){ .loop = loop, .name = name, .spare = -1 };
	ev_init(&a->io, cb);
	ev_timer_init(&a->retry, on_retry, 0., 0.);
}

void
acceptor_open(struct acceptor *a, int fd, bool reserve)
{
	ev_io_set(&a->io, fd, EV_READ);
	ev_io_start(a->loop, &a->io);
	a->reserves = reserve;
	acceptor_refill(a);
}

void
acceptor_close(struct acceptor *a)
{
	ev_io_stop(a->loop, &a->io);
	ev_timer_stop(a->loop, &a->retry);
	if (a->spare != -1)
		close(a->spare);
	a->spare = -1;
	a->reserves = false;
}

static bool
is_out(int err)
{
	return err == EMFILE || err == ENFILE || err == ENOBUFS ||
	    err == ENOMEM;
}

/* Uses the reserved descriptor. */
static int
accept_with_spare(struct acceptor *a)
{
	int fd;

	if (a->spare == -1)
		return -1;
	close(a->spare);
	a->spare = -1;
	fd = sock_accept(a->io.fd, NULL);
	if (fd == -1) {
		int saved = errno;

		acceptor_refill(a);
		errno = saved;
	}
	return fd;
}

int
acceptor_accept(struct acceptor *a)
{
	int fd = sock_accept(a->io.fd, NULL);

	if (fd == -1 && is_out(errno))
		fd = accept_with_spare(a);
	if (fd != -1 || errno == EAGAIN || errno == EINTR ||
	    errno == ECONNABORTED)
		return fd;
	log_warn("%s: accept paused", a->name);
	ev_io_stop(a->loop, &a->io);
	ev_timer_set(&a->retry, RETRY_SECONDS, 0.);
	ev_timer_start(a->loop, &a->retry);
	return -1;
}

void
acceptor_refill(struct acceptor *a)
{
	if (a->reserves && a->spare == -1)
		a->spare = fcntl(a->io.fd, F_DUPFD_CLOEXEC, 0);
}

void
acceptor_pause(struct acceptor *a)
{
	a->paused = true;
	ev_io_stop(a->loop, &a->io);
}

void
acceptor_resume(struct acceptor *a)
{
	a->paused = false;
	if (!ev_is_active(&a->retry))
		ev_io_start(a->loop, &a->io);
}
