/* SPDX-License-Identifier: MIT */
/*
 * carrier.c: how the bytes of a link travel.  Owns the socket, the ring, and
 * their watchers.
 *
 * One end offers a ring: its first byte on the socket brings the descriptors.
 * Each end uses the ring as soon as it knows that the other one has it, and
 * says in it how many bytes it has sent by the socket until then; these are
 * read first.  If the ring cannot be made, or cannot be taken, all goes by the
 * socket.
 */

#include "shared/ipc/carrier.h"

#include <errno.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/base/base.h"
#include "shared/base/log.h"
#include "shared/ipc/fdpass.h"

/* Is the next byte in the ring? */
static bool
reads_ring(struct carrier *w)
{
	if (!w->by_ring && w->ring != NULL)
		w->by_ring = w->nread >= memring_other_sent(w->ring);
	return w->by_ring;
}

/* Does the other end have the ring? */
static bool
is_taken(const struct carrier *w)
{
	return w->to_ring || memring_other_sent(w->ring) != UINT64_MAX;
}

/* Does the next byte go to the ring? */
static bool
writes_ring(struct carrier *w)
{
	if (!w->to_ring && w->ring != NULL && is_taken(w)) {
		w->to_ring = true;
		memring_begin(w->ring, w->nsent);
	}
	return w->to_ring;
}

/* The other end has said its last word, or a wrong one. */
static void
is_gone(struct carrier *w, bool bad)
{
	w->gone = true;
	w->bad = w->bad || bad;
	ev_io_stop(w->loop, &w->io);
}

void
carrier_look(struct carrier *w)
{
	char byte;
	ssize_t n;

	if (w->gone || !reads_ring(w))
		return;
	n = recv(w->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
	if (n != -1 || (errno != EAGAIN && errno != EINTR))
		is_gone(w, n != 0); /* it may not send by the socket */
}

static void
on_io(struct ev_loop *loop, ev_io *io, int revents)
{
	struct carrier *w = container_of(io, struct carrier, io);

	if (revents & EV_READ)
		carrier_look(w);
	w->on_event(w, revents & EV_WRITE ? EV_READ | EV_WRITE : EV_READ);
}

static void
on_bell(struct ev_loop *loop, ev_io *io, int revents)
{
	struct carrier *w = container_of(io, struct carrier, bell);

	if ((revents & EV_READ) && !memring_hear(w->ring)) {
		ev_io_stop(loop, io);
		if (reads_ring(w))
			is_gone(w, false); /* else the socket tells it */
		else if (!is_taken(w))
			carrier_let_go(w); /* the other end could not take it */
	}
	w->on_event(w, EV_READ | EV_WRITE);
}

void
carrier_init(struct carrier *w, struct ev_loop *loop, int fd, int priority,
    void (*on_event)(struct carrier *, int revents))
{
	*w = (struct carrier){ .fd = fd, .loop = loop, .on_event = on_event };
	ev_io_init(&w->io, on_io, fd, EV_READ);
	ev_set_priority(&w->io, priority);
	ev_init(&w->bell, on_bell);
	ev_set_priority(&w->bell, priority);
	ev_io_start(loop, &w->io);
}

void
carrier_let_go(struct carrier *w)
{
	if (w->ring == NULL)
		return;
	ev_io_stop(w->loop, &w->bell);
	memring_free(w->ring);
	w->ring = NULL;
}

void
carrier_close(struct carrier *w)
{
	if (w->ring != NULL)
		memring_close(w->ring);
	carrier_let_go(w);
	ev_io_stop(w->loop, &w->io);
	close(w->fd);
	w->fd = -1;
}

void
carrier_shut(struct carrier *w)
{
	if (w->ring != NULL)
		memring_close(w->ring);
	shutdown(w->fd, SHUT_RDWR);
}

void
carrier_watch(struct carrier *w, bool readable, bool full)
{
	int events = (readable && !w->gone ? EV_READ : 0) |
	    (full && !w->to_ring ? EV_WRITE : 0);

	ev_io_stop(w->loop, &w->io);
	if (events == 0)
		return;
	ev_io_set(&w->io, w->fd, events);
	ev_io_start(w->loop, &w->io);
}

void
carrier_again(struct carrier *w)
{
	ev_feed_event(w->loop, &w->io, EV_CUSTOM);
}

/* ---- a ring ---- */

static void
use(struct carrier *w, struct memring *r)
{
	w->ring = r;
	ev_io_set(&w->bell, memring_fds(r).bell, EV_READ);
	ev_io_start(w->loop, &w->bell);
}

void
carrier_offer(struct carrier *w)
{
	struct memring_fds second;
	struct memring *r = memring_new(&second);
	int fds[] = { second.memory, second.bell, second.other };
	int sent = -1;

	if (r != NULL) {
		sent = fdpass_send(w->fd, "", 1, fds, nitems(fds));
		for (size_t i = 0; i < nitems(fds); i++)
			close(fds[i]);
	}
	if (sent == 0) {
		use(w, r);
		return;
	}
	if (errno != EPIPE) /* else the other end has closed it */
		log_warn("link: no memory is shared with a worker, and its "
			 "messages cost more processor time");
	memring_free(r);
}

void
carrier_adopt(struct carrier *w, struct memring *r, uint64_t nread)
{
	w->nread = nread;
	w->to_ring = true;
	use(w, r);
}

/* Owns the descriptors.  NULL with errno; they may be lost, with EMFILE. */
static struct memring *
take_offer(const int *fds, size_t nfds)
{
	if (nfds == 3)
		return memring_open(
		    &(struct memring_fds){ fds[0], fds[1], fds[2] });
	if (nfds == 0)
		return NULL;
	while (nfds > 0)
		close(fds[--nfds]);
	errno = EBADMSG;
	return NULL;
}

/* The first bytes: an offer comes alone, ahead of them.  As recv(2). */
static ssize_t
read_first(struct carrier *w, char *to, size_t n)
{
	int fds[FDPASS_FDS];
	size_t nfds;
	ssize_t got = fdpass_recv(w->fd, to, n, fds, &nfds);
	struct memring *r;

	if (nfds == 0 && (got != -1 || errno != EMFILE)) {
		w->takes_ring = w->takes_ring && got <= 0;
		return got;
	}
	w->takes_ring = false;
	r = take_offer(fds, nfds);
	if (r == NULL && errno == EBADMSG)
		return -1;
	if (r == NULL) {
		log_warn("link: the broker's memory cannot be used, and "
			 "messages cost more processor time");
	} else {
		use(w, r);
		w->to_ring = true;
		memring_begin(r, w->nsent);
		ev_feed_event(w->loop, &w->bell, EV_CUSTOM); /* it has room */
	}
	errno = EINTR; /* and now its bytes */
	return -1;
}

static ssize_t
read_ring(struct carrier *w, char *to, size_t n)
{
	bool last = w->gone; /* before looking */
	ssize_t here = memring_ready(w->ring);

	memring_awake(w->ring);
	if (here == -1)
		is_gone(w, true);
	if (here > 0) {
		n = MIN(n, (size_t)here);
		memring_read(w->ring, to, n);
		return (ssize_t)n;
	}
	errno = w->bad ? EBADMSG : EAGAIN;
	return last && !w->bad ? 0 : -1;
}

ssize_t
carrier_read(struct carrier *w, char *to, size_t n)
{
	ssize_t got;

	if (reads_ring(w))
		return read_ring(w, to, n);
	do
		got = w->takes_ring ? read_first(w, to, n)
				    : recv(w->fd, to, n, 0);
	while (got == -1 && errno == EINTR);
	if (got > 0)
		w->nread += (size_t)got;
	return got;
}

size_t
carrier_ready(struct carrier *w)
{
	ssize_t here;
	int n = 0;

	if (!reads_ring(w) && ioctl(w->fd, FIONREAD, &n) == -1)
		n = 0;
	if (w->ring == NULL || memring_other_sent(w->ring) == UINT64_MAX)
		return (size_t)n;
	here = memring_ready(w->ring);
	return (size_t)n + (here == -1 ? 0 : (size_t)here);
}

int
carrier_send(struct carrier *w, struct outq *q, size_t max, bool late)
{
	uint64_t before = q->out;
	int r;

	if (!writes_ring(w)) {
		r = outq_send(q, w->fd, max);
		w->nsent += q->out - before;
		return r;
	}
	if (w->gone || (r = memring_send(w->ring, q, late)) == -1) {
		is_gone(w, !w->gone && errno == EBADMSG);
		carrier_again(w);
		return -1;
	}
	return r;
}

void
carrier_wake(struct carrier *w)
{
	if (w->ring != NULL)
		memring_wake(w->ring);
}

bool
carrier_wait(struct carrier *w, int ms)
{
	struct pollfd fds[] = { { w->fd, POLLOUT, 0 }, { -1, POLLIN, 0 } };

	if (w->to_ring) {
		fds[0].events = 0;
		fds[1].fd = memring_fds(w->ring).bell;
	}
	if (poll(fds, nitems(fds), ms) <= 0)
		return false;
	if (fds[1].revents != 0)
		memring_hear(w->ring);
	return true;
}

bool
carrier_turn(struct carrier *w, bool sleeps)
{
	if (w->ring == NULL)
		return sleeps;
	if (sleeps)
		memring_sleep(w->ring);
	if (!reads_ring(w) || (memring_ready(w->ring) == 0 && !w->gone))
		return sleeps;
	memring_awake(w->ring);
	carrier_again(w);
	return false;
}
